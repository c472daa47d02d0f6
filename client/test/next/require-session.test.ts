import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { requireSession, VigilRefusal, type RequireSessionOptions } from '../../src/next/index.js';
import { VigilError } from '../../src/core/error.js';

let server: Server;
let url: string;
let asked: IncomingMessage[];
let answer: RequestListener;

const passes: RequestListener = (_, response) =>
  response.writeHead(204, { 'X-Vigil-User': 'ana', 'X-Vigil-Session': 'f00d', 'X-Vigil-Auth-Time': '1769850000' }).end();

/** As the service answers what it refuses. */
const refuses = (status: number, problem: object, headers: Record<string, string> = {}): RequestListener => (_, response) =>
  response
    .writeHead(status, { 'Content-Type': 'application/problem+json', 'X-Request-Id': 'r1', 'Access-Control-Allow-Origin': '*', 'Set-Cookie': 'a=b', ...headers })
    .end(JSON.stringify({ type: 'urn:vigil:problem:x', title: 'No', status, detail: 'It may not pass.', requestId: 'r1', ...problem }));

beforeEach(async () => {
  asked = [];
  answer = passes;
  server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const from = (headers: Record<string, string>) => new Request('https://dashboard.example.com/api', { headers });
/** As Next.js keeps them: `Headers` around a record, which is a property. */
class HeadersAdapter extends Headers {
  constructor(private readonly headers: Record<string, string>) {
    super();
  }
  override get(name: string): string | null {
    return this.headers[name.toLowerCase()] ?? null;
  }
}

const ana = { authorization: 'Bearer a.b.c' };

async function refused(headers: Record<string, string> = ana, options: RequireSessionOptions = {}): Promise<VigilRefusal> {
  const error = await requireSession(from(headers), { url, ...options }).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(VigilRefusal);
  return error as VigilRefusal;
}

describe('a live session', () => {
  test('is who it is', async () => {
    await expect(requireSession(from(ana), { url })).resolves.toEqual({ userId: 'ana', sessionId: 'f00d', authTime: 1769850000 });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ method: 'GET', url: '/v1/check', headers: { authorization: 'Bearer a.b.c' } });
  });

  test('has a user id of any characters', async () => {
    answer = (_, response) =>
      response.writeHead(204, { 'X-Vigil-User': 'a/b%25%C3%A9%20%09~', 'X-Vigil-Session': 'f00d', 'X-Vigil-Auth-Time': '1' }).end();
    await expect(requireSession(from(ana), { url })).resolves.toMatchObject({ userId: 'a/b%é \t~' });
  });

  test.each([
    ['a Request', () => from(ana)],
    ['what has headers', () => ({ headers: new Headers(ana) })],
    ['headers', () => new Headers(ana)],
    ['what can only get', () => ({ get: (name: string) => (name === 'authorization' ? ana.authorization : null) })],
    ['headers of Next.js', () => new HeadersAdapter(ana)],
  ])('comes with %s', async (_, request) => {
    await expect(requireSession(request(), { url })).resolves.toMatchObject({ userId: 'ana' });
  });

  test.each([
    [{}, '/v1/check'],
    [{ maxAge: 300 }, '/v1/check?maxAge=300'],
    [{ maxAge: 0, activity: true }, '/v1/check?maxAge=0&activity=true'],
    [{ activity: false }, '/v1/check'],
  ])('is asked for with %o', async (options, path) => {
    await requireSession(from(ana), { url, ...options });
    expect(asked[0]!.url).toBe(path);
  });

  test('is asked for with all of it where URLSearchParams has no size', async () => {
    const size = Object.getOwnPropertyDescriptor(URLSearchParams.prototype, 'size')!;
    Reflect.deleteProperty(URLSearchParams.prototype, 'size');
    onTestFinished(() => void Object.defineProperty(URLSearchParams.prototype, 'size', size));
    await requireSession(from(ana), { url, maxAge: 300 });
    expect(asked[0]!.url).toBe('/v1/check?maxAge=300');
  });

  test('is asked for where VIGIL_URL says, and below a path', async () => {
    vi.stubEnv('VIGIL_URL', `${url}/vigil/`);
    await requireSession(from(ana));
    expect(asked[0]!.url).toBe('/vigil/v1/check');
  });

  test('needs right options', async () => {
    vi.stubEnv('VIGIL_URL', '');
    await expect(requireSession(from(ana))).rejects.toThrow(TypeError);
    for (const maxAge of [-1, 1.5, NaN, Infinity]) await expect(requireSession(from(ana), { url, maxAge })).rejects.toThrow(TypeError);
    for (const wrong of ['vigil.example.com', 'localhost:8080', '/vigil', 'ftp://vigil.example.com']) {
      await expect(requireSession(from(ana), { url: wrong }), wrong).rejects.toThrow(TypeError);
    }
    expect(asked).toHaveLength(0);
  });
});

describe('the token', () => {
  const token = async (headers: Record<string, string>, options: RequireSessionOptions = {}) => {
    await requireSession(from(headers), { url, ...options });
    return asked[0]!.headers.authorization;
  };

  test.each([
    ['the cookie', { cookie: 'theme=dark; vigil_token=c.o.k; x=y' }, {}, 'Bearer c.o.k'],
    ['a cookie by another name', { cookie: 'vigil_token=no; __Host-token=c.o.k' }, { cookie: '__Host-token' }, 'Bearer c.o.k'],
    ['the header before the cookie', { ...ana, cookie: 'vigil_token=c.o.k' }, {}, 'Bearer a.b.c'],
    ['the header in any case', { authorization: 'bearer a.b.c' }, {}, 'Bearer a.b.c'],
    ['the cookie where the header is of another scheme', { authorization: 'Basic dTpw', cookie: 'vigil_token=c.o.k' }, {}, 'Bearer c.o.k'],
  ])('is that of %s', async (_, headers, options, want) => {
    expect(await token(headers as unknown as Record<string, string>, options)).toBe(want);
  });

  test.each([
    ['nothing', {}, {}],
    ['an empty cookie', { cookie: 'vigil_token=' }, {}],
    ['a cookie with another name at its end', { cookie: 'my_vigil_token=c.o.k; vigil_token_2=c.o.k' }, {}],
    ['a cookie that is no token', { cookie: 'vigil_token="a b"' }, {}],
    ['a cookie that does not count', { cookie: 'vigil_token=c.o.k' }, { cookie: false as const }],
    ['another scheme', { authorization: 'Basic dTpw' }, {}],
    ['two at once', { authorization: 'Bearer a.b.c, Bearer d.e.f' }, {}],
    ['two at once, for which no cookie stands in', { authorization: 'Bearer a.b.c, Bearer d.e.f', cookie: 'vigil_token=c.o.k' }, {}],
    ['an empty header, for which no cookie stands in', { authorization: 'Bearer', cookie: 'vigil_token=c.o.k' }, {}],
    ['a header that is no token', { authorization: 'Bearer é' }, {}],
  ])('is missing in %s, which takes no question', async (_, headers, options) => {
    const error = await refused(headers as Record<string, string>, options);
    expect(error).toMatchObject({ status: 401, code: 'token_missing' });
    expect(error.response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect(asked).toHaveLength(0);
  });
});

describe('of the request', () => {
  test('nothing else is passed on, and what a client says about itself counts for nothing', async () => {
    await requireSession(from({
      ...ana, 'x-vigil-user': 'boss', 'x-vigil-session': 'beef', 'x-vigil-auth-time': '9', cookie: 'secret=1', forwarded: 'for=192.0.2.1',
      'x-real-ip': '192.0.2.1', 'user-agent': 'Mozilla', 'x-forwarded-host': 'evil.example', origin: 'https://evil.example',
    }), { url });
    const { headers } = asked[0]!;
    for (const name of Object.keys(headers)) expect(['authorization', 'host', 'connection', 'accept', 'accept-language', 'sec-fetch-mode', 'user-agent', 'accept-encoding', 'cache-control', 'pragma']).toContain(name);
    expect(headers['user-agent']).not.toBe('Mozilla');
    expect(headers['cache-control']).toBe('no-cache'); // Next.js must not answer it from its cache either
  });

  const whole = { 'X-Vigil-User': 'ana', 'X-Vigil-Session': 'f00d', 'X-Vigil-Auth-Time': '1' };
  test.each([
    {}, { ...whole, 'X-Vigil-User': '' }, { ...whole, 'X-Vigil-Session': '' }, { ...whole, 'X-Vigil-Auth-Time': '' }, { ...whole, 'X-Vigil-Auth-Time': 'now' },
    { ...whole, 'X-Vigil-User': '%' },
  ])('a 204 without a session is none, whatever the client sent: %o', async (headers) => {
    answer = (_, response) => response.writeHead(204, headers).end();
    expect(await refused({ ...ana, 'x-vigil-user': 'boss', 'x-vigil-session': 'beef', 'x-vigil-auth-time': '9' })).toMatchObject({ status: 503 });
  });

  test.each([
    ['as it came', {}, { 'x-forwarded-for': '192.0.2.1, 203.0.113.7' }, '192.0.2.1, 203.0.113.7'],
    ['as it is given', { forwardedFor: '203.0.113.9' }, { 'x-forwarded-for': '192.0.2.1' }, '203.0.113.9'],
    ['not', { forwardedFor: null }, { 'x-forwarded-for': '192.0.2.1' }, undefined],
    ['not where there is none', {}, {}, undefined],
  ])('the client’s address is passed on %s', async (_, options, headers, want) => {
    await requireSession(from({ ...ana, ...(headers as Record<string, string>) }), { url, ...options });
    expect(asked[0]!.headers['x-forwarded-for']).toBe(want);
  });

  test('the language is passed on, for the words of a refusal', async () => {
    await requireSession(from({ ...ana, 'accept-language': 'es' }), { url });
    expect(asked[0]!.headers['accept-language']).toBe('es');
  });
});

describe('a refusal', () => {
  test('is the service’s answer', async () => {
    const problem = { code: 'session_ended', reason: 'idle_timeout', endedAt: '2026-01-31T09:00:00.000Z' };
    answer = refuses(401, problem, { 'WWW-Authenticate': 'Bearer error="invalid_token"', 'Content-Language': 'es' });
    const error = await refused();
    expect(error).toBeInstanceOf(VigilError);
    expect(error).toMatchObject({ status: 401, code: 'session_ended', message: 'It may not pass.', details: { reason: 'idle_timeout', requestId: 'r1' } });

    const { response } = error;
    expect(response.status).toBe(401);
    expect(Object.fromEntries(response.headers)).toEqual({
      'cache-control': 'no-store', 'content-language': 'es', 'content-type': 'application/problem+json',
      'www-authenticate': 'Bearer error="invalid_token"', 'x-request-id': 'r1',
    });
    expect(await response.json()).toMatchObject(problem);
    expect(await error.response.json()).toMatchObject(problem); // can be had again
  });

  test('asks for a recent sign-in', async () => {
    const step = 'Bearer error="insufficient_user_authentication", max_age="300"';
    answer = refuses(401, { code: 'reauth_required', maxAge: 300 }, { 'WWW-Authenticate': step });
    const error = await refused(ana, { maxAge: 300 });
    expect(error).toMatchObject({ code: 'reauth_required', details: { maxAge: 300 } });
    expect(error.response.headers.get('www-authenticate')).toBe(step);
  });

  test('for too many requests says when to come back', async () => {
    answer = refuses(429, { code: 'rate_limited' }, { 'Retry-After': '7' });
    const error = await refused();
    expect(error).toMatchObject({ status: 429, code: 'rate_limited', details: { retryAfter: 7 } });
    expect(error.response.headers.get('retry-after')).toBe('7');
  });

  test('of something that the service calls invalid is that', async () => {
    answer = refuses(400, { code: 'invalid_request', errors: [{ field: 'maxAge', message: 'is too large' }] });
    expect(await refused()).toMatchObject({ status: 400, code: 'invalid_request', details: { errors: [{ field: 'maxAge' }] } });
  });
});

describe('signs nobody out', () => {
  const unavailable = async (retryAfter = '2') => {
    const error = await refused();
    expect(error).toMatchObject({ status: 503, code: 'unavailable', details: { retryAfter: Number(retryAfter) } });
    expect(error.response.status).toBe(503);
    expect(error.response.headers.get('retry-after')).toBe(retryAfter);
    expect(error.response.headers.has('www-authenticate')).toBe(false);
    expect(await error.response.json()).toMatchObject({ status: 503, code: 'unavailable' });
    return error;
  };

  test('when the service cannot tell', async () => {
    answer = refuses(503, { code: 'unavailable' }, { 'Retry-After': '9' });
    await unavailable('9');
  });

  test.each([500, 502, 404, 200, 302])('when the answer is a %i', async (status) => {
    answer = (_, response) => response.writeHead(status, { Location: `${url}/elsewhere`, 'Retry-After': 'Sat, 31 Jan 2026 09:00:00 GMT' }).end('<p>');
    await unavailable();
    expect(asked).toHaveLength(1); // the token goes nowhere else
  });

  test('when there is no such path', async () => {
    answer = refuses(404, { code: 'not_found' });
    await unavailable();
  });

  test.each(['<p>Who are you?</p>', '"no"', 'null', '{"status":401}'])('when a 401 is not the service’s: %s', async (body) => {
    answer = (_, response) => response.writeHead(401, { 'WWW-Authenticate': 'Basic' }).end(body);
    await unavailable();
  });

  test('when nobody listens', async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect((await unavailable()).cause).toBeInstanceOf(Error);
  });

  test.each([
    ['does not come', () => {}],
    ['does not end', (_, response) => void response.writeHead(401).write('{')],
  ] satisfies [string, RequestListener][])('when the answer %s within two seconds', async (_, listener) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const arrived = new Promise<void>((resolve) => {
      answer = (request, response) => (listener(request, response), resolve());
    });
    let settled = false;
    const refusal = unavailable().finally(() => (settled = true));
    await arrived;
    await vi.advanceTimersByTimeAsync(1999);
    expect(settled).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(String((await refusal).cause)).toContain('2000 ms');
  });
});
