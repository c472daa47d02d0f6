import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import type { ServerFrame } from '../../src/core/wire.js';
import { pass } from './browser.js';
import { decode } from './server.js';
import { browser, server, setUp, tab } from './setup.js';

interface Fixture {
  name: string;
  frame: any;
}

/** The protocol's examples, which the service's own tests read too. */
const fixtures = (name: string): Fixture[] =>
  JSON.parse(readFileSync(new URL(`../../../internal/wire/testdata/${name}.json`, import.meta.url), 'utf8'));

const keys = (frame: object) => Object.keys(frame).sort().join();

setUp();

it.each(fixtures('client'))('the fake service takes: $name', ({ frame }) => {
  expect(decode(JSON.stringify(frame))).toEqual(frame);
});

it.each(fixtures('rejected'))('the fake service refuses: $name', ({ frame }) => {
  expect(() => decode(frame)).toThrow();
});

it('the client sends every frame of the examples, type first, and no other', async () => {
  tab.act();
  await pass(30_100);
  await browser.getToken(true);
  await pass(30_000);
  server.closeAll(1006);
  await pass(40_000);
  const sent = server.peers.flatMap(({ frames }) => frames);
  const shapes = fixtures('client').map(({ frame }) => frame);
  expect(sent.every((frame) => Object.keys(frame)[0] === 'type')).toBe(true);
  for (const frame of sent) {
    const known = shapes.filter(({ type }) => type === frame.type).flatMap((shape) => Object.keys(shape));
    expect(known).toEqual(expect.arrayContaining(Object.keys(frame)));
  }
  // A ping of this client always has a timestamp.
  for (const shape of shapes.filter((each) => keys(each) !== 'type' || each.type !== 'ping')) expect(sent.map(keys)).toContain(keys(shape));
});

describe('what the service says is understood', () => {
  const heard = {
    ready: ({ session }: any) => expect(tab.state).toMatchObject({ status: 'live', session }),
    pong: () => expect(tab.state.status).toBe('live'),
    idle_warning: ({ idleDeadline }: any) => expect(tab.state.warning).toEqual({ deadline: Date.parse(idleDeadline) }),
    idle_reset: ({ warnAt, idleDeadline }: any) =>
      expect(tab.state).toMatchObject({ warning: null, warnAt: Date.parse(warnAt), idleDeadline: Date.parse(idleDeadline) }),
    auth_expired: () => expect(tab.getToken).toHaveBeenCalledWith(true),
    session_revoked: ({ reason }: any) => expect(tab.onEnded).toHaveBeenCalledExactlyOnceWith(reason),
    session_started: ({ session }: any) => expect(events).toEqual([{ session }]),
    session_closed: ({ sessionId, reason }: any) => expect(events).toEqual([{ sessionId, reason }]),
    security_alert: ({ alert }: any) => expect(events).toEqual([alert]),
    claims_changed: () => expect(events).toEqual([{}]),
  } satisfies Record<ServerFrame['type'], (frame: any) => void>;

  let events: unknown[];

  it.each(fixtures('server'))('$name', async ({ frame }) => {
    events = [];
    for (const type of ['started', 'closed', 'alert', 'claims'] as const) tab.vigil.on(type, (event) => events.push(event));
    server.peer.push(frame);
    if (frame.type === 'auth_expired') server.peer.hangUp(4001);
    await pass(frame.type === 'auth_expired' ? 1_000 : 20);
    heard[frame.type as ServerFrame['type']](frame);
  });

  it('and every type has an example', () => {
    expect(new Set(fixtures('server').map(({ frame }) => frame.type))).toEqual(new Set(Object.keys(heard)));
  });
});
