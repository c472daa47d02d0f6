import type { VigilError } from '../core/error.js';
import { tokenMissing, unavailable, VigilRefusal } from './refusal.js';

// Node's and Next.js', without the types of either.
declare const process: { env: { VIGIL_URL?: string } };

/** `Headers`, or what `headers()` of `next/headers` resolves to. */
export interface HeadersLike {
  /** The value of a header in any case, several joined by commas; null if there is none. */
  get(name: string): string | null;
}

/** Who a request comes from. */
export interface CheckedSession {
  /** The Firebase uid. */
  userId: string;
  /** The session's id, which is the name of its document in Firestore. */
  sessionId: string;
  /** When the user signed in, in Unix seconds. */
  authTime: number;
}

/** How {@link requireSession} asks. */
export interface RequireSessionOptions {
  /** The service's address, such as `https://vigil.example.com`. Default: `VIGIL_URL` of the environment. */
  url?: string;
  /** How old the sign-in may be, in whole seconds; an older one is refused as `reauth_required`. */
  maxAge?: number;
  /** Whether the request shows that the user is there, and so moves the idle deadline. Default: false. */
  activity?: boolean;
  /**
   * The cookie that the client mirrors its token in, where there is no `Authorization: Bearer`. Default: `vigil_token`, the
   * client's own default. `false`: no cookie counts, for what other origins of the same site must not be able to ask for.
   */
  cookie?: string | false;
  /**
   * The addresses that the request came through, as in `X-Forwarded-For`, whose header is the default; `null`: they are unknown.
   * The service believes them where this server is one of its `TRUSTED_PROXIES`, and reads them from the right. So list this
   * server there only if all requests reach it through a proxy that sets or appends to that header: with none before it, the
   * header is whatever the client has written. Without a believed address the service judges no network, whatever `IP_POLICY` says.
   */
  forwardedFor?: string | null;
}

/** An answer that takes longer is none, in milliseconds. */
const timeout = 2000;

/** The answers that concern the client. Any other is a fault between here and the service. */
const concernClient = [400, 401, 403, 429];

const passedOn = ['Content-Type', 'Content-Language', 'WWW-Authenticate', 'Retry-After', 'X-Request-Id'];

/**
 * Resolves if the request comes from a live session, by asking the service's `/v1/check` with the token of its
 * `Authorization` header, else of the cookie. Of the request it reads these two, `X-Forwarded-For` and `Accept-Language`; an
 * `X-Vigil-…` that a client has sent counts for nothing.
 *
 * @example A route handler
 * ```ts
 * export async function POST(request: Request) {
 *   try {
 *     const { userId } = await requireSession(request, { maxAge: 300 });
 *     return Response.json(await pay(userId));
 *   } catch (error) {
 *     if (error instanceof VigilRefusal) return error.response;
 *     throw error;
 *   }
 * }
 * ```
 *
 * @example A server action
 * ```ts
 * const { userId } = await requireSession(await headers());
 * ```
 *
 * @param request A `Request`, anything with its `headers`, or these alone.
 * @throws {@link VigilRefusal} if it may not pass (401, 429), and if the service cannot tell within two seconds (503).
 * @throws TypeError if the options are wrong.
 */
export async function requireSession(request: HeadersLike | { headers: HeadersLike }, options: RequireSessionOptions = {}): Promise<CheckedSession> {
  // What `headers()` of Next.js resolves to has a `headers` of its own, which is a bare record.
  const headers = 'get' in request && typeof request.get === 'function' ? request : (request as { headers: HeadersLike }).headers;
  const address = checkAddress(options);
  const token = bearer(headers) ?? (options.cookie === false ? null : cookie(headers, options.cookie ?? 'vigil_token'));
  if (!token) throw tokenMissing();

  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(new Error(`no answer within ${timeout} ms`)), timeout);
  try {
    // Redirects are not followed: the token is for this address alone.
    const answer = await fetch(address, { headers: ask(headers, token, options), cache: 'no-store', redirect: 'manual', signal: abort.signal });
    if (answer.status === 204) return checked(answer.headers);
    throw await refusal(answer);
  } catch (error) {
    throw error instanceof VigilRefusal ? error : unavailable(error);
  } finally {
    clearTimeout(timer);
  }
}

function checkAddress({ url, maxAge, activity }: RequireSessionOptions): string {
  const base = url ?? process.env.VIGIL_URL;
  if (!base) throw new TypeError('requireSession: no url, and VIGIL_URL is not set');
  // `localhost:8080` is one too, of the scheme `localhost:`.
  if (!/^https?:$/.test(new URL(base).protocol)) throw new TypeError(`requireSession: not an http or https address: ${base}`);
  if (maxAge !== undefined && !(Number.isSafeInteger(maxAge) && maxAge >= 0)) throw new TypeError('requireSession: maxAge must be a whole number of seconds');
  const query = new URLSearchParams();
  if (maxAge !== undefined) query.set('maxAge', String(maxAge));
  if (activity) query.set('activity', 'true');
  const asked = String(query); // not every runtime counts them in `size`, and without maxAge any sign-in would do
  return `${base.replace(/\/+$/, '')}/v1/check${asked && `?${asked}`}`;
}

/** A token is of characters that neither a header nor a cookie needs an encoding for; anything else is none. */
const aToken = /^[\w.-]+$/;

/** Other schemes, such as the Basic of a guarded preview, are not for the service: null. What is no token is empty: no cookie stands in for it. */
function bearer(headers: HeadersLike): string | null {
  const said = /^Bearer\b *(.*)$/is.exec(headers.get('authorization')?.trim() ?? '');
  return said && (aToken.exec(said[1]!)?.[0] ?? '');
}

function cookie(headers: HeadersLike, name: string): string | null {
  for (const pair of (headers.get('cookie') ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return aToken.exec(pair.slice(at + 1).trim())?.[0] ?? null;
  }
  return null;
}

function ask(headers: HeadersLike, token: string, { forwardedFor }: RequireSessionOptions): Record<string, string> {
  const asked: Record<string, string> = { Authorization: `Bearer ${token}` };
  const from = forwardedFor === undefined ? headers.get('x-forwarded-for') : forwardedFor;
  if (from) asked['X-Forwarded-For'] = from;
  const language = headers.get('accept-language');
  if (language) asked['Accept-Language'] = language;
  return asked;
}

function checked(headers: Headers): CheckedSession {
  const userId = headers.get('x-vigil-user');
  const sessionId = headers.get('x-vigil-session');
  const authTime = Number(headers.get('x-vigil-auth-time') || NaN);
  if (!userId || !sessionId || !Number.isSafeInteger(authTime)) throw new Error('an answer without a session: is this the address of Vigil?');
  return { userId: decodeURIComponent(userId), sessionId, authTime };
}

async function refusal(answer: Response): Promise<VigilRefusal> {
  if (!concernClient.includes(answer.status)) {
    await answer.body?.cancel();
    return unavailable(new Error(`an answer of status ${answer.status}`), /^\d+$/.exec(answer.headers.get('retry-after') ?? '')?.[0]);
  }
  const body = await answer.text();
  const problem = JSON.parse(body) as Record<string, unknown>; // what is no problem document is not the service's
  if (typeof problem.code !== 'string') throw new Error(`an answer of status ${answer.status} without a code`);
  const headers: Record<string, string> = { 'Cache-Control': 'no-store' };
  for (const name of passedOn) {
    const value = answer.headers.get(name);
    if (value) headers[name] = value;
  }
  const details: Record<string, unknown> = {};
  for (const name of ['reason', 'maxAge', 'requestId', 'errors']) if (problem[name] !== undefined) details[name] = problem[name];
  if (headers['Retry-After']) details.retryAfter = Number(headers['Retry-After']);
  return new VigilRefusal(answer.status, problem.code, String(problem.detail ?? problem.code), details as VigilError['details'], body, headers);
}
