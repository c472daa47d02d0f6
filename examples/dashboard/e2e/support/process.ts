import { once } from 'node:events';
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';

/** Settles when the process is gone. */
export function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve()); // it has not even started
  });
}

/** A server that runs until it is stopped. */
export class Server {
  private readonly child: ChildProcess;
  private readonly gone: Promise<void>;
  private over = false;
  /** What it has printed. */
  output = '';

  constructor(command: string, args: string[], options: { cwd?: string; env: Record<string, string> }) {
    this.child = spawn(command, args, { ...options, env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.gone = ended(this.child).then(() => void (this.over = true));
  }

  /** Returns when it answers with success. */
  async ready(url: string): Promise<void> {
    for (;;) {
      if (this.over) throw new Error(`the server has ended:\n${this.output}`);
      const answer = await fetch(url, { redirect: 'manual' }).catch(() => null);
      if (answer && answer.status < 400) return;
      await setTimeout(50);
    }
  }

  async stop(): Promise<void> {
    this.child.kill();
    await this.gone;
  }
}

/** As many ports of 127.0.0.1 as asked for that nobody listens at. */
export async function freePorts(n: number): Promise<number[]> {
  const servers = Array.from({ length: n }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
