// Holds the built package to what it promises: its size, who may import what, and the directive that Next.js looks for.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const failures = [];

/** What a page downloads that imports all of these doors, without React, and what is imported of others. */
async function bundle(...doors) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: doors.map((door) => `export * from './${door}/index.js';`).join('\n'), resolveDir: dist },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    packages: 'external',
    write: false,
    metafile: true,
  });
  const imported = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  return { bytes: gzipSync(outputFiles[0].contents, { level: 9 }).length, imported: [...new Set(imported)] };
}

for (const { doors, limit = Infinity, allowed } of [
  { doors: ['core'], limit: 6144, allowed: [] },
  { doors: ['core', 'react'], limit: 8192, allowed: ['react', 'react/jsx-runtime'] },
  { doors: ['next'], allowed: [] },
]) {
  const name = doors.join(' + ');
  const { bytes, imported } = await bundle(...doors);
  console.log(`${name}: ${bytes} bytes gzipped${limit < Infinity ? ` of ${limit}` : ''}`);
  if (bytes > limit) failures.push(`${name} has ${bytes - limit} bytes too many`);
  for (const path of imported.filter((path) => !allowed.includes(path))) failures.push(`${name} imports ${path}`);
}

if (!/^['"]use client['"];/.test(readFileSync(`${dist}react/index.js`, 'utf8'))) failures.push("react does not begin with 'use client'");

for (const failure of failures) console.error(`client: ${failure}`);
process.exitCode = failures.length ? 1 : 0;
