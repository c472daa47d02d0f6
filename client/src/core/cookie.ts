import { claims } from './token.js';
import type { VigilOptions } from './types.js';

/**
 * The `document.cookie` that mirrors a token for the application's own server for as long as the token lasts, or that clears it.
 * @param now the server's time in milliseconds
 */
export function cookie(options: NonNullable<VigilOptions['cookie']>, token: string | null, now: number): string {
  const seconds = token ? Math.max(0, Math.floor(claims(token).exp - now / 1000)) : 0;
  return (
    `${options.name ?? 'vigil_token'}=${token ?? ''}; Path=${options.path ?? '/'}` +
    (options.domain ? `; Domain=${options.domain}` : '') +
    (seconds >= 0 ? `; Max-Age=${seconds}` : '') + // a token that does not say: until the browser closes
    '; Secure; SameSite=Lax'
  );
}
