/** The sign-in page, with the way back to where the browser is. */
export function signInPath(): string {
  const { pathname, search } = window.location;
  const here = pathname + search;
  return here === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(here)}`;
}

/**
 * Where the sign-in page leads. Anybody can make a link to it, so only to a path of this application: one that the browser reads as it is
 * written, which `//host`, `/\host` and what else it takes for another host are not.
 */
export function nextPath(): string {
  const { origin, search } = window.location;
  const next = new URLSearchParams(search).get('next') ?? '/';
  const path = URL.canParse(next, origin) && new URL(next, origin).href === origin + next;
  return path && !next.startsWith('/sign-in') ? next : '/';
}
