import type { Schemas } from '@vigilhq/client';

/** What both the search and a mass revocation choose by. */
export type Filter = Partial<Record<'userId' | 'status' | 'ip' | 'deviceType' | 'country' | 'activeBefore', string>>;

/** One line of an audit trail. */
export type SecurityEvent = Schemas['Event'];

/** A path with those parameters that are not empty. */
export function withQuery(path: string, parameters: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') query.set(name, String(value));
  }
  return query.size > 0 ? `${path}?${query}` : path;
}
