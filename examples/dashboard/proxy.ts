import { NextResponse, type NextRequest } from 'next/server';
import { NONCE_HEADER, readConfig } from '@/lib/config';

/**
 * Says what a page may load and whom it may talk to: a page that holds a token runs no script but its own and lies in nobody's frame.
 * Next.js reads the nonce from the request's header and puts it on its own scripts.
 */
export function proxy(request: NextRequest): NextResponse {
  const nonce = btoa(crypto.randomUUID());
  const policy = contentPolicy(nonce);
  const headers = new Headers(request.headers);
  headers.set(NONCE_HEADER, nonce);
  headers.set('Content-Security-Policy', policy);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set('Content-Security-Policy', policy);
  return response;
}

export const config = { matcher: ['/((?!api/|_next/static|icon.svg).*)'] };

function contentPolicy(nonce: string): string {
  const { vigilUrl, emulatorUrl } = readConfig();
  const vigil = new URL(vigilUrl).origin;
  const identity = emulatorUrl ? [new URL(emulatorUrl).origin] : ['https://identitytoolkit.googleapis.com', 'https://securetoken.googleapis.com'];
  const debugging = process.env.NODE_ENV === 'development'; // in which React evaluates code, and Next.js reloads over a socket
  return Object.entries({
    'default-src': ["'self'"],
    'script-src': ["'self'", `'nonce-${nonce}'`, "'strict-dynamic'", ...(debugging ? ["'unsafe-eval'"] : [])],
    'style-src': ["'self'", "'unsafe-inline'"], // Mantine sets sizes and colours on elements
    'img-src': ["'self'", 'data:'],
    'connect-src': ["'self'", vigil, vigil.replace(/^http/, 'ws'), ...identity, ...(debugging ? ['ws:'] : [])],
    'object-src': ["'none'"],
    'base-uri': ["'none'"],
    'form-action': ["'self'"],
    'frame-ancestors': ["'none'"],
  }).map(([name, sources]) => `${name} ${sources.join(' ')}`).join('; ');
}
