import type { Session } from '@vigilhq/client';

/** One line of the audit trail. See docs/http.md, Events. */
export interface SecurityEvent {
  id: string;
  type: string;
  at: string;
  userId: string | null;
  sessionId: string | null;
  actor: string | null;
  ipAddress: string | null;
  details: Record<string, string>;
  /** For admins only. */
  audience?: 'user' | 'admin';
}

/** A page of a list; more follows for as long as there is a token. */
export interface EventPage {
  events: SecurityEvent[];
  nextPageToken?: string;
}

export interface SessionPage {
  sessions: Session[];
  nextPageToken?: string;
}

/** What the last clean-up has counted, and the sockets of the instance that answers. */
export interface Stats {
  sockets: number;
  activeSessions: number;
  users: number;
  byDeviceType: Record<string, number>;
  byCountry: Record<string, number>;
  countedAt: string | null;
}

/** What both the search and a mass revocation choose by. */
export interface Filter {
  userId?: string;
  status?: string;
  ip?: string;
  deviceType?: string;
  country?: string;
  activeBefore?: string;
}

export interface Revocation {
  id: string;
  state: 'running' | 'done' | 'failed';
  matched: number;
  ended: number;
}

/** A path with those parameters that are not empty. */
export function withQuery(path: string, parameters: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') query.set(name, String(value));
  }
  return query.size > 0 ? `${path}?${query}` : path;
}
