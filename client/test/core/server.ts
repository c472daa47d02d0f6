import { createHash } from 'node:crypto';

import type { EndReason, Session } from '../../src/core/index.js';
import type { ClientFrame, ServerFrame } from '../../src/core/wire.js';

/** One sign-in, as Firebase's token tells it. */
export interface SignIn {
  sub: string;
  auth_time: number;
  sid?: string;
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** An ID token; `nth` tells the refreshed ones of a sign-in apart. */
export function tokenOf(signIn: SignIn, exp: number, nth = 0): string {
  return `${part({ alg: 'RS256' })}.${part({ ...signIn, exp, nth, name: 'Zoë ÿ' })}.signature`;
}

/** The session that a sign-in is: CONTRACT of every implementation. */
export const sessionId = ({ sub, sid, auth_time }: SignIn) =>
  createHash('sha256').update(`${sub}/${sid ?? auth_time}`).digest('hex');

/** Reads a frame as the service does, and throws for what it does not take. */
export function decode(data: string): ClientFrame {
  const frame = JSON.parse(data);
  const { type, token, reconnectedAfterMs } = frame ?? {};
  if (Array.isArray(frame) || !['auth', 'ping', 'activity'].includes(type)) throw new Error('unknown type');
  if (token !== undefined && typeof token !== 'string') throw new Error('token is not a string');
  if (reconnectedAfterMs !== undefined && typeof reconnectedAfterMs !== 'number') throw new Error('not a number');
  return frame;
}

interface Kept {
  session: Session;
  lastActive: number;
}

type Handlers = Pick<WebSocket, 'onopen' | 'onmessage' | 'onclose'>;

/** The service's side of one socket, and the browser's object. */
export class Peer implements Handlers {
  onopen: WebSocket['onopen'] = null;
  onmessage: WebSocket['onmessage'] = null;
  onclose: WebSocket['onclose'] = null;
  /** What the client has sent, in order. */
  readonly frames: ClientFrame[] = [];
  readonly at = Date.now();
  /** How the client has closed it. */
  closedWith: number | undefined;
  id = '';
  token = '';
  /** Runs while the token does not count. */
  grace: ReturnType<typeof setTimeout> | undefined;
  private over = false;

  constructor(readonly server: Server) {
    server.peers.push(this);
    if (server.silent) return;
    setTimeout(() => {
      if (this.over) return;
      if (server.down) this.hangUp(1006);
      else this.onopen?.call(this as never, new Event('open'));
    }, server.latency);
  }

  send(data: string): void {
    if (this.over) return;
    this.frames.push(decode(data));
    if (this.server.silent) return;
    setTimeout(() => !this.over && this.server.receive(this, decode(data)), this.server.latency);
  }

  close(code?: number): void {
    this.closedWith ??= code;
    this.over = true;
  }

  get open(): boolean {
    return !this.over;
  }

  /** The service says something. */
  push(frame: ServerFrame): void {
    const data = JSON.stringify(frame);
    setTimeout(() => this.onmessage?.call(this as never, new MessageEvent('message', { data })), this.server.latency);
  }

  /** The service, or the network, closes. */
  hangUp(code: number, last?: ServerFrame): void {
    if (this.over) return;
    if (last) this.push(last);
    this.over = true;
    setTimeout(() => this.onclose?.call(this as never, Object.assign(new Event('close'), { code }) as never), this.server.latency);
  }
}

/** The service, in this process: the protocol of docs/websocket.md and what the core uses of docs/http.md. */
export class Server {
  /** Milliseconds of one way. */
  latency = 10;
  /** The server's clock minus this one. */
  skew = 0;
  /** Nobody answers: the network swallows everything. */
  silent = false;
  /** Connections are refused. */
  down = false;
  idleTimeout = 30 * 60_000;
  idleWarning = 2 * 60_000;
  lifetime = 12 * 3600_000;
  heartbeatInterval = 30_000;
  /** So long a socket's token counts from when it is first seen, if not as long as it lasts. */
  tokenLife = Infinity;
  /** So long a socket may go on without a token that counts. */
  reauthGrace = 10_000;
  socketsPerSession = 50;
  /** The chance in everything: the same in every run. */
  random = ((seed) => () => (seed = (seed * 16807) % 2147483647) / 2147483647)(20260102);
  readonly peers: Peer[] = [];
  readonly requests: { method: string; path: string; body: any; token: string; init: RequestInit }[] = [];
  readonly sessions = new Map<string, Kept>();
  readonly badTokens = new Map<string, string>();
  private readonly seen = new Map<string, number>();
  /** Alerts that the next registration tells of. */
  alerts: any[] = [];
  /** Answers in the server's stead while it returns something. */
  intercept: (method: string, path: string, token: string) => Response | undefined = () => undefined;

  now = () => Date.now() + this.skew;
  iso = (ms: number) => new Date(ms).toISOString();

  get peer(): Peer {
    return this.peers.at(-1)!;
  }

  /** The sockets that are somebody's. */
  get live(): Peer[] {
    return this.peers.filter((peer) => peer.open && peer.id);
  }

  WebSocket = (() => {
    const server = this;
    return class extends Peer {
      constructor(readonly url: string) {
        super(server);
      }
    };
  })();

  problem(status: number, code: string, more: object = {}, headers: Record<string, string> = {}): Response {
    const body = { type: `urn:vigil:problem:${code}`, title: code, status, detail: `${code}.`, code, requestId: 'r1', ...more };
    return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/problem+json', ...headers } });
  }

  fetch = async (input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> => {
    await new Promise((resolve, reject) => {
      if (!this.silent) setTimeout(resolve, this.latency);
      init.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
    });
    if (this.down) throw new TypeError('Failed to fetch');
    const path = new URL(String(input)).pathname + new URL(String(input)).search;
    const token = new Headers(init.headers).get('Authorization')?.replace(/^Bearer /, '') ?? '';
    const method = init.method!;
    const body = init.body ? JSON.parse(String(init.body)) : undefined;
    this.requests.push({ method, path, body, token, init });
    const answer = this.intercept(method, path, token) ?? this.answer(method, path, token, body);
    await new Promise((resolve) => setTimeout(resolve, this.latency));
    return answer;
  };

  /** The sign-in of a token, or why it does not count. */
  private verify(token: string): (SignIn & { exp: number }) | string {
    const bad = this.badTokens.get(token);
    if (bad) return bad;
    try {
      const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
      return claims.exp * 1000 <= this.now() ? 'token_expired' : claims;
    } catch {
      return 'token_invalid';
    }
  }

  view(kept: Kept): Session {
    const idle = kept.lastActive + this.idleTimeout;
    return {
      ...kept.session,
      lastActive: this.iso(kept.lastActive),
      warnAt: this.iso(idle - this.idleWarning),
      idleDeadline: this.iso(idle),
    };
  }

  private answer(method: string, path: string, token: string, body: any): Response {
    const json = (status: number, value: unknown) => new Response(JSON.stringify(value), { status });
    const claims = this.verify(token);
    if (typeof claims === 'string') return this.problem(401, claims);
    const id = sessionId(claims);
    const kept = this.find(id);
    if (method === 'POST' && path === '/v1/sessions') {
      if (kept?.session.endReason) return this.problem(401, 'reauth_required', { maxAge: 0, reason: kept.session.endReason });
      const mine = kept ?? this.begin(claims);
      if (body.replaces && body.replaces !== id) this.end(body.replaces, 'replaced');
      const alerts = kept ? [] : this.alerts.splice(0);
      return json(kept ? 200 : 201, { session: this.view(mine), evicted: [], alerts });
    }
    if (!kept) return this.problem(401, 'session_required');
    if (kept.session.endReason)
      return this.problem(401, 'session_ended', { reason: kept.session.endReason, endedAt: kept.session.endedAt });
    switch (`${method} ${path}`) {
      case 'GET /v1/sessions':
      case 'GET /v1/sessions?status=all': {
        const all = [...this.sessions.values()].filter(({ session }) => path.includes('all') || !session.endReason);
        return json(200, { sessions: all.map((each) => this.view(each)) });
      }
      case 'GET /v1/sessions/current':
        return json(200, this.view(kept));
      case 'POST /v1/sessions/current/activity': {
        this.touch(id);
        const { lastActive, warnAt, idleDeadline, expiresAt } = this.view(kept);
        return json(200, { lastActive, warnAt, idleDeadline, expiresAt });
      }
      case 'DELETE /v1/sessions?scope=others': {
        const others = [...this.sessions.keys()].filter((other) => other !== id);
        for (const other of others) this.end(other, 'revoked');
        return json(200, { ended: others.length });
      }
      case 'POST /v1/logout':
        this.end(id, 'logout');
        return new Response(null, { status: 204 });
    }
    if (method === 'DELETE') {
      const other = path.replace('/v1/sessions/', '');
      this.end(other, other === id ? 'logout' : 'revoked');
      return new Response(null, { status: 204 });
    }
    return this.problem(404, 'not_found');
  }

  /** A session. It is over past its deadlines, which is found when somebody asks. */
  private find(id: string): Kept | undefined {
    const kept = this.sessions.get(id);
    if (kept && this.now() >= Date.parse(kept.session.expiresAt)) this.end(id, 'absolute_timeout');
    if (kept && this.now() >= kept.lastActive + this.idleTimeout) this.end(id, 'idle_timeout');
    return kept;
  }

  /** A session begins. */
  begin(signIn: SignIn): Kept {
    const id = sessionId(signIn);
    const now = this.now();
    const session = {
      id,
      userId: signIn.sub,
      current: true,
      status: 'active',
      createdAt: this.iso(now),
      expiresAt: this.iso(now + this.lifetime),
      endReason: null,
      endedAt: null,
    } as Session;
    const kept = { session, lastActive: now };
    this.sessions.set(id, kept);
    return kept;
  }

  /** A session ends, and its sockets hear of it. */
  end(id: string, reason: EndReason): void {
    const kept = this.sessions.get(id);
    if (!kept || kept.session.endReason) return;
    kept.session = { ...kept.session, status: 'ended', endReason: reason, endedAt: this.iso(this.now()) };
    for (const peer of this.live.filter((each) => each.id === id)) this.refuse(peer, reason);
  }

  private refuse(peer: Peer, reason: EndReason): void {
    const codes: Record<string, number> = {
      idle_timeout: 4503,
      absolute_timeout: 4504,
      user_disabled: 4505,
      user_deleted: 4505,
      replaced: 4006,
    };
    peer.hangUp(codes[reason] ?? 4502, { type: 'session_revoked', reason });
  }

  /** The person did something. */
  touch(id: string): void {
    const kept = this.sessions.get(id)!;
    const warned = this.now() >= kept.lastActive + this.idleTimeout - this.idleWarning;
    kept.lastActive = this.now();
    const { warnAt, idleDeadline } = this.view(kept);
    if (warned) for (const peer of this.live.filter((each) => each.id === id)) peer.push({ type: 'idle_reset', warnAt, idleDeadline });
  }

  /** The time for a warning has come. */
  warn(id: string): void {
    const { idleDeadline } = this.view(this.sessions.get(id)!);
    const remaining = Date.parse(idleDeadline) - this.now();
    for (const peer of this.live.filter((each) => each.id === id)) peer.push({ type: 'idle_warning', idleDeadline, remaining });
  }

  /** Closes every socket. */
  closeAll(code: number, last?: ServerFrame): void {
    for (const peer of this.peers) peer.hangUp(code, last);
  }

  receive(peer: Peer, frame: ClientFrame): void {
    if ((frame.type === 'auth') !== !peer.id) return peer.hangUp(4500);
    if (frame.type !== 'auth' && this.find(peer.id)!.session.endReason) return;
    if (frame.type === 'activity') return typeof this.weigh(peer) === 'string' ? undefined : this.touch(peer.id);
    if (frame.type === 'ping') return this.ping(peer, frame);
    const claims = this.onSocket(frame.token);
    if (typeof claims === 'string')
      return peer.hangUp(claims === 'token_expired' ? 4001 : 4501, { type: 'auth_expired', reason: claims });
    const id = sessionId(claims);
    const kept = this.find(id);
    if (!kept) return peer.hangUp(4501, { type: 'auth_expired', reason: 'session_required' });
    if (kept.session.endReason) return this.refuse(peer, kept.session.endReason);
    Object.assign(peer, { id, token: frame.token });
    const sockets = this.live.filter((each) => each.id === id);
    for (const oldest of sockets.slice(0, Math.max(0, sockets.length - this.socketsPerSession))) oldest.hangUp(4005);
    const session = this.view(kept);
    const { warnAt, idleDeadline, expiresAt } = session;
    peer.push({
      type: 'ready',
      session,
      serverTime: this.iso(this.now()),
      heartbeatInterval: this.heartbeatInterval,
      warnAt,
      idleDeadline,
      expiresAt,
      tokenExpiresAt: this.iso(Math.min(claims.exp * 1000, this.seen.get(frame.token)! + this.tokenLife)),
    });
  }

  /** What {@link verify} says, for a socket, which takes no token for too long. */
  private onSocket(token: string): ReturnType<Server['verify']> {
    if (!this.seen.has(token)) this.seen.set(token, this.now());
    return this.now() >= this.seen.get(token)! + this.tokenLife ? 'token_expired' : this.verify(token);
  }

  /** What the token of an open socket is worth now. */
  private weigh(peer: Peer): ReturnType<Server['verify']> {
    const claims = this.onSocket(peer.token);
    if (typeof claims !== 'string') {
      clearTimeout(peer.grace);
      peer.grace = undefined;
    } else peer.grace ??= setTimeout(() => peer.hangUp(4001, { type: 'auth_expired', reason: claims }), this.reauthGrace);
    return claims;
  }

  private ping(peer: Peer, frame: ClientFrame & { type: 'ping' }): void {
    peer.token = frame.token ?? peer.token;
    const claims = this.weigh(peer);
    if (typeof claims !== 'string' && sessionId(claims) !== peer.id) return peer.hangUp(4006);
    peer.push({
      type: 'pong',
      ...(frame.timestamp !== undefined && { timestamp: frame.timestamp }),
      serverTime: this.iso(this.now()),
      tokenValid: typeof claims !== 'string',
      ...(typeof claims === 'string' && { error: claims }),
      idleDeadline: this.view(this.sessions.get(peer.id)!).idleDeadline,
    });
  }
}
