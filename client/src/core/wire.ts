import type { EndReason, SecurityAlert, Session } from './types.js';

/** What the client says on the socket. */
export type ClientFrame =
  | { type: 'auth'; token: string }
  | { type: 'ping'; token?: string; timestamp?: number | string; reconnectedAfterMs?: number }
  | { type: 'activity' };

/** What the server says. Times are RFC 3339; intervals are milliseconds. */
export type ServerFrame =
  | {
      type: 'ready';
      session: Session;
      serverTime: string;
      heartbeatInterval: number;
      warnAt: string;
      idleDeadline: string;
      expiresAt: string;
      tokenExpiresAt: string;
    }
  | { type: 'pong'; timestamp?: number | string; serverTime: string; tokenValid: boolean; error?: string; idleDeadline: string }
  | { type: 'idle_warning'; idleDeadline: string; remaining: number }
  | { type: 'idle_reset'; warnAt: string; idleDeadline: string }
  | { type: 'auth_expired'; reason: string }
  | { type: 'session_revoked'; reason: EndReason }
  | { type: 'session_started'; session: Session }
  | { type: 'session_closed'; sessionId: string; reason: EndReason }
  | { type: 'security_alert'; alert: SecurityAlert }
  | { type: 'claims_changed' };

/** The frame of one type. */
export type ServerFrameOf<T extends ServerFrame['type']> = Extract<ServerFrame, { type: T }>;
