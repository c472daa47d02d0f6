// The guides, word for word: their files in a fresh folder, built, and clicked through in a browser against `vigil dev`.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bin, browser, folder, here, installClient, installed, read, signIn, start, vigil, write } from './support.mjs';

const pinned = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
const ours = { ...pinned.dependencies, ...pinned.devDependencies };

/** A warning at once, and an end soon after: `IDLE_TIMEOUT` of the guides is made for people. */
const hasty = { IDLE_TIMEOUT: '10s', IDLE_WARNING: '8s' };

/** One session each, and no other takes its place. */
const strict = { MAX_SESSIONS: '1', SESSION_LIMIT_POLICY: 'reject' };

let chromium;
before(async () => {
  installClient();
  chromium = await browser();
});
after(() => chromium?.close());

/** What a document installs is what is tried here; the client is this repository's. */
function sameVersions(packages) {
  const { '@vigilhq/client': client, ...others } = packages;
  assert.equal('@vigilhq/client' in packages, true);
  assert.equal(client, undefined);
  for (const [name, version] of Object.entries(others)) assert.equal(ours[name], version, name);
}

/** Signs in where somebody is, and again when they are gone. */
async function refusedAtFirst(url) {
  const one = await chromium.open(url);
  await signIn(one);
  const two = await chromium.open(url);
  await signIn(two, 'The account has as many sessions as it may have.');
  await one.getByRole('button', { name: 'Sign out', exact: true }).click();
  await one.getByLabel('Password').waitFor();
  await signIn(two);
}

/** Somebody who is warned stays by a key, and does nothing when warned again. */
async function staysThenLeaves(page, told) {
  const dialog = page.getByRole('dialog', { name: 'Are you still there?' });
  await dialog.waitFor();
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'hidden' });
  await dialog.waitFor();
  await page.getByText(told).waitFor();
  await page.getByLabel('Password').waitFor();
  await dialog.waitFor({ state: 'hidden' });
}

test('docs/nextjs.md', async (t) => {
  const { files, commands } = read('nextjs.md');
  const app = folder('my-dashboard');
  let service = await vigil();
  t.after(() => service.stop());

  await t.test('the commands make a new application and build it', () => {
    const create = commands.find((command) => command.startsWith('npx create-next-app@')).split(' ');
    assert.equal(create[1], `create-next-app@${ours['create-next-app']}`);
    assert.equal(create[2], 'my-dashboard');
    // Its packages are installed here already, in the versions that it asks for.
    execFileSync(bin('create-next-app'), [...create.slice(2), '--skip-install', '--disable-git'], { cwd: join(app, '..'), stdio: 'pipe' });
    const made = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'));
    for (const [name, version] of Object.entries(made.dependencies)) assert.equal(ours[name], version, name);
    for (const [name, version] of Object.entries(made.devDependencies)) {
      if (!name.startsWith('eslint')) assert.ok(ours[name]?.startsWith(version.replace('^', '')), `${name} ${version}`);
    }
    sameVersions(installed(commands));
    assert.ok(commands.includes('npm run dev') && made.scripts.dev === 'next dev');

    write(files, app, { 'http://127.0.0.1:8080': service.api, 'http://127.0.0.1:9099': service.identity });
    execFileSync(bin('next'), ['build'], { cwd: app, env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' }, stdio: 'pipe' });
  });

  const next = await start(bin('next'), ['start', '-H', 'localhost', '-p', '0'], { cwd: app, env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' } }, /(http:\/\/localhost:[1-9]\d*)/);
  t.after(() => next.stop());
  const [url] = next.matches;

  await t.test('two browsers see each other, and one ends the other', async () => {
    const one = await chromium.open(url);
    await signIn(one);
    await one.getByRole('button', { name: 'Who am I?' }).click();
    await one.getByText('You are ana.').waitFor();

    const two = await chromium.open(url);
    await signIn(two);
    await one.getByRole('listitem').nth(1).waitFor();
    await one.getByRole('listitem').getByRole('button', { name: 'Sign out' }).click();
    await two.getByText('You were signed out from another device.').waitFor();
    await two.getByLabel('Password').waitFor();
    await one.getByRole('listitem').nth(1).waitFor({ state: 'detached' });

    await one.getByRole('button', { name: 'Sign out', exact: true }).click();
    await one.getByLabel('Password').waitFor();
    assert.equal(await one.getByRole('status').count(), 0, 'who signs out needs no reason');
  });

  await t.test('the route refuses who has no session', async () => {
    const answer = await fetch(`${url}/api/profile`);
    assert.equal(answer.status, 401);
    assert.equal((await answer.json()).code, 'token_missing');
    assert.match(answer.headers.get('www-authenticate'), /^Bearer/);
  });

  await t.test('without Vigil the route lets nobody in, and nobody is signed out', async () => {
    const page = await chromium.open(url);
    await signIn(page);
    await service.stop();
    await page.getByRole('button', { name: 'Who am I?' }).click();
    await page.getByText('unavailable').waitFor();
    await page.getByText('this device').waitFor();
    await page.close();
  });

  await t.test('who does nothing is warned, can stay, and is signed out', async () => {
    service = await vigil(hasty, service);
    const page = await chromium.open(url);
    await signIn(page);
    await staysThenLeaves(page, 'You were signed out because you were away.');
  });

  await t.test('who has too many sessions is told, and comes in when one has ended', async () => {
    await service.stop();
    service = await vigil(strict, service);
    await refusedAtFirst(url);
  });
});

test('docs/without-react.md', async (t) => {
  const { files, commands } = read('without-react.md');
  sameVersions(installed(commands));
  let service = await vigil();
  t.after(() => service.stop());
  const site = folder('without-react');
  write(files, site, { 'http://127.0.0.1:8080': service.api, 'http://127.0.0.1:9099': service.identity });
  const [, , ...flags] = commands.find((command) => command.startsWith('npx esbuild ')).replace('127.0.0.1:8000', '127.0.0.1:0').split(' ');
  const server = await start(bin('esbuild'), flags, { cwd: site }, /(http:\/\/127\.0\.0\.1:\d+)/);
  t.after(() => server.stop());
  const [url] = server.matches;

  await t.test('two browsers see each other, and one ends the other', async () => {
    const one = await chromium.open(url);
    await signIn(one);
    const two = await chromium.open(url);
    await signIn(two);
    await one.getByRole('listitem').getByRole('button', { name: 'Sign out' }).click();
    await two.getByText('You were signed out: revoked.').waitFor();
    await one.getByRole('listitem').nth(1).waitFor({ state: 'detached' });
    await one.getByRole('button', { name: 'Sign out', exact: true }).click();
    await one.getByLabel('Password').waitFor();
  });

  await t.test('who does nothing is warned, can stay, and is signed out', async () => {
    await service.stop();
    service = await vigil(hasty, service);
    const page = await chromium.open(url);
    await signIn(page);
    await staysThenLeaves(page, 'You were signed out: idle_timeout.');
  });

  await t.test('who has too many sessions is told, and comes in when one has ended', async () => {
    await service.stop();
    service = await vigil(strict, service);
    await refusedAtFirst(url);
  });
});
