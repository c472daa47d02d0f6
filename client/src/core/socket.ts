import type { Platform } from './types.js';
import type { ClientFrame, ServerFrame, ServerFrameOf } from './wire.js';

const READY_WAIT = 15_000; // from the handshake to ready
const CHECK_WAIT = 5_000; // for an answer to a ping that asks whether anybody is there
const PONG_WAIT = 10_000; // for an answer to a heartbeat
const LATE = 5_000; // a timer this late has slept

/** What becomes of a {@link Link}. After close nothing comes any more. */
export interface LinkEvents {
  /** @param sent when auth was sent, by this clock */
  ready(frame: ServerFrameOf<'ready'>, sent: number): void;
  frame(frame: Exclude<ServerFrame, { type: 'ready' | 'auth_expired' }>): void;
  /** Time for a ping. */
  beat(): void;
  /** @param reason that of an `auth_expired` before it */
  close(code: number, reason?: string): void;
}

/** One socket, from its handshake to its close. */
export interface Link {
  /** Whether it is the session's: ready has come. */
  readonly live: boolean;
  send(frame: ClientFrame): void;
  /** A heartbeat: without any answer the link counts as lost. */
  ping(more?: Omit<ClientFrame & { type: 'ping' }, 'type'>, wait?: number): void;
  /** Asks whether anybody is there, and soon gives up. */
  check(): void;
  /** Checks if the page seems to have slept. */
  stir(): void;
  /** Closes without a word to {@link LinkEvents}. */
  close(): void;
}

/** Opens a socket and authenticates. Throws what the WebSocket's constructor throws. */
export function openLink(p: Platform, url: string, token: string, on: LinkEvents): Link {
  const socket = new p.WebSocket(url);
  let watchdog: unknown;
  let heart: unknown;
  let due = Infinity;
  let until = Infinity;
  let sent = 0;
  let reason: string | undefined;

  const lost = (code: number) => {
    on.close(code, reason); // first: whether it was live is of interest
    link.close();
  };
  const heard = () => {
    until = Infinity;
    p.clearTimeout(watchdog);
  };
  const expect = (ms: number) => {
    if (p.now() + ms >= until) return; // what is awaited already is not awaited for longer
    heard();
    until = p.now() + ms;
    watchdog = p.setTimeout(() => lost(1006), ms);
  };
  const beat = (interval: number) => {
    p.clearTimeout(heart);
    due = p.now() + interval;
    heart = p.setTimeout(() => {
      link.stir();
      beat(interval);
      on.beat();
    }, interval);
  };

  const link = {
    live: false,
    send: (frame: ClientFrame) => socket.send(JSON.stringify(frame)),
    ping(more = {}, wait = PONG_WAIT) {
      expect(wait);
      link.send({ type: 'ping', timestamp: p.now(), ...more });
    },
    check: () => link.ping({}, CHECK_WAIT),
    stir() {
      if (p.now() > due + LATE) link.check();
    },
    close() {
      link.live = false;
      heard();
      p.clearTimeout(heart);
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(1000);
    },
  } satisfies Link as Link & { live: boolean };

  expect(READY_WAIT);
  socket.onopen = () => {
    sent = p.now();
    link.send({ type: 'auth', token });
  };
  socket.onclose = (event) => lost(event.code);
  socket.onmessage = (event) => {
    let frame: ServerFrame;
    try {
      frame = JSON.parse(event.data as string);
    } catch {
      return;
    }
    heard();
    if (frame.type === 'auth_expired') {
      reason = frame.reason;
      expect(CHECK_WAIT); // the close says what to do
    } else if (frame.type === 'ready') {
      link.live = true;
      beat(frame.heartbeatInterval);
      on.ready(frame, sent);
    } else on.frame(frame);
  };
  return link;
}
