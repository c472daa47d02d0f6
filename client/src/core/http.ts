import { VigilError } from './error.js';
import { within } from './platform.js';
import type { EndReason, Platform } from './types.js';

const TIMEOUT = 30_000; // an answer that takes longer, to its last byte, is none, in milliseconds

/**
 * One request to the service.
 * @param abort for whoever wants to give up earlier
 * @throws {@link VigilError} for any answer but success. What is no answer of the service (a proxy's page, no network) is `unavailable`.
 */
export async function call<T>(
  p: Platform,
  url: string,
  method: string,
  token: string,
  body?: unknown,
  abort = new AbortController(),
): Promise<T> {
  try {
    return await within(p, TIMEOUT, ask<T>(p, url, method, token, body, abort.signal));
  } finally {
    abort.abort();
  }
}

async function ask<T>(p: Platform, url: string, method: string, token: string, body: unknown, signal: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await p.fetch(url, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...(body !== undefined && { 'Content-Type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      signal,
    });
  } catch (cause) {
    throw new VigilError(0, 'unavailable', String(cause));
  }
  if (response.ok) {
    const data: unknown = await response.json().catch(() => undefined);
    if (data !== undefined || response.status === 204) return data as T;
  }
  throw await VigilError.from(response);
}

/** Why the session is over, if an answer says that it is. */
export function endOf({ code, details: { reason } }: VigilError): EndReason | undefined {
  switch (code) {
    case 'session_ended':
    case 'ip_changed':
    case 'user_disabled':
      return reason ?? (code === 'session_ended' ? 'revoked' : code);
    case 'token_revoked': // comes without a reason; what an admin does is told by the socket
      return 'tokens_revoked';
  }
  return undefined;
}
