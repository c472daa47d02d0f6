/** What an ID token says, as far as the client needs it. Nothing is decided by it: the server verifies, the client compares. */
export interface Claims {
  /** Names the sign-in: another one of the same user differs. */
  signIn: string;
  /** The user. */
  sub: string;
  /** When it expires, in seconds since the epoch; NaN if it does not say. */
  exp: number;
}

/** Reads a token without verifying it. What cannot be read has no claims. */
export function claims(token: string): Claims {
  let payload: { sub?: string; sid?: string; auth_time?: number; exp?: number } = {};
  try {
    payload = JSON.parse(atob(token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/')));
  } catch {
    // an opaque token of a test: every one is of the same sign-in
  }
  return { sub: `${payload.sub}`, signIn: `${payload.sub}/${payload.sid ?? payload.auth_time}`, exp: payload.exp ?? NaN };
}
