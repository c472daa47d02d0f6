import { vi } from 'vitest';
import type { Session, Vigil, VigilEvents, VigilState } from '../../src/core/types.js';

/** The state of a client that has not been started. */
export const idle: VigilState = {
  status: 'idle', session: null, warnAt: null, idleDeadline: null, expiresAt: null, warning: null, ended: null, offset: 0, error: null,
};

/** A session of a user. */
export function aSession(id: string, more: Partial<Session> = {}): Session {
  const at = '2026-01-31T09:00:00.000Z';
  return {
    id, userId: 'ana', current: id === 'here', status: 'active',
    device: { type: 'desktop', browser: 'Chrome 142', os: 'Linux', name: null },
    userAgent: '', ipAddress: '203.0.113.7', location: null, signInProvider: 'password',
    createdAt: at, authTime: at, lastActive: at, warnAt: at, idleDeadline: at, expiresAt: at,
    endedAt: null, endReason: null, endedBy: null, ...more,
  };
}

/** A {@link Vigil} that a test plays the service of. */
export class FakeVigil implements Vigil {
  #state = idle;
  #subscribers = new Set<() => void>();
  #listeners = new Map<string, Set<(event: never) => void>>();
  /** The server's clock minus this one. */
  offset = 0;
  /** What the service has. */
  there: Session[] = [];

  getState = () => this.#state;
  subscribe = (listener: () => void) => {
    this.#subscribers.add(listener);
    return () => void this.#subscribers.delete(listener);
  };
  on = <T extends keyof VigilEvents>(type: T, listener: (event: VigilEvents[T]) => void) => {
    const of = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, of.add(listener));
    return () => void of.delete(listener);
  };
  start = vi.fn();
  stop = vi.fn();
  now = () => Date.now() + this.offset;
  stayActive = vi.fn(async () => {});
  sessions = vi.fn(async (): Promise<Session[]> => [...this.there]);
  end = vi.fn(async (id: string) => {
    this.there = this.there.filter((session) => session.id !== id);
  });
  endOthers = vi.fn(async () => {
    const before = this.there.length;
    this.there = this.there.filter((session) => session.current);
    return before - this.there.length;
  });
  logout = vi.fn(async () => {});
  request = vi.fn();

  /** The state changes. */
  set(more: Partial<VigilState>): void {
    this.#state = { ...this.#state, ...more };
    for (const listener of [...this.#subscribers]) listener();
  }

  /** The session is live on its socket. */
  live(session = aSession('here')): void {
    this.set({ status: 'live', session });
  }

  /** Something happens. */
  emit<T extends keyof VigilEvents>(type: T, event: VigilEvents[T]): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) (listener as (event: VigilEvents[T]) => void)(event);
  }

  /** How many listen, to the state or to anything else. */
  get listening(): number {
    return this.#subscribers.size + [...this.#listeners.values()].reduce((sum, of) => sum + of.size, 0);
  }
}
