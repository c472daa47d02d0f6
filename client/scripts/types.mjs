// Writes the types of the service's requests and answers from its OpenAPI document; with --check, says whether they are those.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = fileURLToPath(new URL('../src/core/openapi.ts', import.meta.url));

const document = JSON.parse(execFileSync(process.env.GO ?? 'go', ['run', './cmd/vigil', 'openapi'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 24 }));
// The bodies alone: with every path and its refusals it is sixteen times as long, and says nothing that the client needs.
const { openapi, info, components: { schemas } } = document;
const types = await openapiTS({ openapi, info, paths: {}, components: { schemas } }, { alphabetize: true });
const text = `// Written by \`npm run types\` from what \`vigil openapi\` prints.\n\n${astToString(types)}`;

if (!process.argv.includes('--check')) {
  writeFileSync(file, text);
} else if (readFileSync(file, 'utf8') !== text) {
  console.error("client: src/core/openapi.ts is not what the service's description says: run 'npm run types'");
  process.exit(1);
}
