// What the tests of the guides need: the code of a document, processes that end with the test, and a browser.
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');

/** How long to wait for what must come, in milliseconds: a failure's delay, no assertion about speed. */
export const patience = 60_000;

/** The fenced blocks of a document: those with a path after their language are files, those of `sh` without are commands. */
export function read(document) {
  const text = readFileSync(join(root, 'docs', document), 'utf8');
  const files = new Map();
  const commands = [];
  for (const [, language, path, code] of text.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)) {
    if (path) {
      if (files.has(path)) throw new Error(`${document} has ${path} twice`);
      files.set(path, code);
    } else if (language === 'sh') commands.push(...code.trim().split('\n'));
    else throw new Error(`${document} has code that is neither a file nor a command:\n${code}`);
  }
  return { files, commands };
}

/** The packages that a document's commands install, with their versions. */
export function installed(commands) {
  return Object.fromEntries(
    commands
      .filter((command) => command.startsWith('npm install '))
      .flatMap((command) => command.split(' ').slice(2))
      .filter((name) => !name.startsWith('--'))
      .map((name) => [name.replace(/(?<=.)@[^@/]*$/, ''), /.@([^@/]*)$/.exec(name)?.[1]]),
  );
}

/** A fresh folder, below this one so that its packages are found. */
export function folder(name) {
  const path = join(here, 'try', name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

/** Writes a document's files, with some of their addresses changed, all of which have to be there. */
export function write(files, into, changes) {
  const left = new Set(Object.keys(changes));
  for (const [path, code] of files) {
    let text = code;
    for (const [from, to] of Object.entries(changes)) {
      if (text.includes(from)) left.delete(from);
      text = text.replaceAll(from, to);
    }
    mkdirSync(dirname(join(into, path)), { recursive: true });
    writeFileSync(join(into, path), text);
  }
  if (left.size) throw new Error(`nowhere in the document: ${[...left]}`);
}

/** Puts the client where packages are found, as npm packs and installs it. */
export function installClient() {
  if (!existsSync(join(root, 'client/dist/core/index.js'))) throw new Error("there is no client/dist: run 'make client'");
  const packed = mkdtempSync(join(tmpdir(), 'vigil-guides-'));
  try {
    const [{ filename }] = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', packed], { cwd: join(root, 'client'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
    execFileSync('tar', ['-xzf', join(packed, filename), '-C', packed]);
    const into = join(here, 'node_modules/@vigilhq/client');
    rmSync(into, { recursive: true, force: true });
    cpSync(join(packed, 'package'), into, { recursive: true });
  } finally {
    rmSync(packed, { recursive: true });
  }
}

/** The programs that an installed package brings. */
export const bin = (name) => join(here, 'node_modules/.bin', name);

/**
 * Starts a process, with all its children in one group, and waits until what it prints matches all of the patterns.
 * @returns the first group of each match, and how to end it
 */
export async function start(command, args, options, ...patterns) {
  const child = spawn(command, args, { ...options, detached: true, stdio: 'pipe' }); // esbuild ends with its input
  const kill = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // it is gone
    }
  };
  process.once('exit', kill);
  const gone = new Promise((resolve) => child.once('close', resolve));
  let printed = '';
  const matches = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${command} does not start:\n${printed}`)), patience);
    const look = (chunk) => {
      printed += chunk;
      const found = patterns.map((pattern) => pattern.exec(printed)?.[1]);
      if (found.every(Boolean)) resolve((clearTimeout(late), found));
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.once('error', reject);
    void gone.then(() => reject(new Error(`${command} has ended:\n${printed}`)));
  }).catch((error) => {
    kill();
    throw error;
  });
  return {
    matches,
    async stop() {
      kill();
      await gone;
      process.off('exit', kill);
    },
  };
}

/** Starts `vigil dev`, at these addresses if it has run there before. */
export async function vigil(settings = {}, at = { api: 'http://127.0.0.1:0', identity: 'http://127.0.0.1:0' }) {
  const program = process.env.VIGIL;
  if (!program) throw new Error('VIGIL has to name the program, bin/vigil');
  const addresses = { ADDR: at.api.slice('http://'.length), IDENTITY_ADDR: at.identity.slice('http://'.length), OPS_ADDR: '' };
  const { matches, stop } = await start(
    program,
    ['dev'],
    { env: { PATH: process.env.PATH, HOME: process.env.HOME, ...addresses, ...settings } },
    /^ {2}API +(http:\/\/[\d.:]+)/m,
    /^ {2}Identity +(http:\/\/[\d.:]+)/m,
  );
  const [api, identity] = matches;
  for (const deadline = Date.now() + patience; !(await fetch(`${api}/readyz`)).ok; ) {
    if (Date.now() > deadline) throw new Error('vigil dev does not become ready');
  }
  return { api, identity, stop };
}

/** Debian's Chromium, with pages that wait as long as is patient. */
export async function browser() {
  const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
  if (!existsSync(executablePath)) throw new Error(`no Chromium at ${executablePath}: the guides are tried in it (apt-get install chromium, or name it in CHROMIUM)`);
  const running = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
  return {
    close: () => running.close(),
    /** A person's own browser, which has opened this address. */
    async open(url) {
      const page = await (await running.newContext()).newPage();
      page.setDefaultTimeout(patience);
      await page.goto(url);
      return page;
    },
  };
}

/** Waits for another second than now. */
const nextSecond = (page) => page.waitForFunction((now) => Math.floor(Date.now() / 1000) !== now, Math.floor(Date.now() / 1000));

/** Signs in on a guide's form, in a second of its own, for two sign-ins of one are one session, and waits for what the page says then. */
export async function signIn(page, then = 'this device') {
  await nextSecond(page);
  await page.getByLabel('Email').fill('ana@example.com');
  await page.getByLabel('Password').fill('ana-password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText(then).waitFor();
}
