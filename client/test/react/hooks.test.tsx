// @vitest-environment jsdom
import { act, cleanup, renderHook } from '@testing-library/react';
import { afterEach, expect, test, vi } from 'vitest';
import { VigilError } from '../../src/core/error.js';
import { useRecentAuth, useSecurityAlerts } from '../../src/react/index.js';
import { aSession, FakeVigil } from './fake.js';
import { around } from './setup.js';

afterEach(cleanup);

/** Whatever has been promised and waits for nothing else has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

const tooOld = (maxAge: number) => new VigilError(401, 'reauth_required', 'sign in again', { maxAge });

function recentAuth(reauthenticate: (maxAge: number) => Promise<void>, client = new FakeVigil()) {
  return renderHook((callback: (maxAge: number) => Promise<void>) => useRecentAuth(callback), { initialProps: reauthenticate, wrapper: around(client) });
}

test('runs the operation, and nothing else where that is enough', async () => {
  const reauthenticate = vi.fn(async () => {});
  const { result } = recentAuth(reauthenticate);
  await expect(result.current(async () => 'done')).resolves.toBe('done');
  expect(reauthenticate).not.toHaveBeenCalled();
});

test('asks to sign in again, and runs the operation once more', async () => {
  const reauthenticate = vi.fn(async (_: number) => {});
  const operation = vi.fn(async () => 'done').mockRejectedValueOnce(tooOld(300));
  const { result } = recentAuth(reauthenticate);
  await expect(result.current(operation)).resolves.toBe('done');
  expect(reauthenticate.mock.calls).toEqual([[300]]);
  expect(operation).toHaveBeenCalledTimes(2);
});

test('waits until the client has followed the new sign-in', async () => {
  const client = new FakeVigil();
  const happened: string[] = [];
  client.request.mockImplementation(async (...asked) => {
    happened.push(asked.join(' '));
    await settled();
    happened.push('answered');
  });
  const { result } = recentAuth(async () => void happened.push('signed in'), client);
  const operation = vi.fn(async () => void happened.push('done')).mockRejectedValueOnce(tooOld(300));
  await result.current(operation);
  expect(happened).toEqual(['signed in', 'GET /v1/sessions/current', 'answered', 'done']);
});

test('a new sign-in that cannot be registered', async () => {
  const client = new FakeVigil();
  const error = new VigilError(401, 'session_limit', 'too many');
  client.request.mockRejectedValueOnce(error);
  const operation = vi.fn(async () => 'done').mockRejectedValueOnce(tooOld(300));
  const { result } = recentAuth(async () => {}, client);
  await expect(result.current(operation)).rejects.toBe(error);
  expect(operation).toHaveBeenCalledOnce();
});

test('asks once only', async () => {
  const reauthenticate = vi.fn(async () => {});
  const operation = vi.fn().mockRejectedValue(tooOld(300));
  const { result } = recentAuth(reauthenticate);
  await expect(result.current(operation)).rejects.toMatchObject({ code: 'reauth_required' });
  expect(reauthenticate).toHaveBeenCalledOnce();
  expect(operation).toHaveBeenCalledTimes(2);
});

test('a user who changes their mind', async () => {
  const cancelled = new Error('cancelled');
  const operation = vi.fn().mockRejectedValue(tooOld(300));
  const { result } = recentAuth(() => Promise.reject(cancelled));
  await expect(result.current(operation)).rejects.toBe(cancelled);
  expect(operation).toHaveBeenCalledOnce();
});

test.each([
  ['a sign-in that is spent', tooOld(0)],
  ['one without an age', new VigilError(401, 'reauth_required', 'sign in again')],
  ['an ended session', new VigilError(401, 'session_ended', 'over', { reason: 'revoked' })],
  ['a dependency that is down', new VigilError(503, 'unavailable', 'not now')],
  ['what is not of the service', Object.assign(new Error('other'), { code: 'reauth_required', details: { maxAge: 300 } })],
])('%s is none of its business', async (_, error) => {
  const reauthenticate = vi.fn(async () => {});
  const { result } = recentAuth(reauthenticate);
  await expect(result.current(() => Promise.reject(error))).rejects.toBe(error);
  expect(reauthenticate).not.toHaveBeenCalled();
});

test('operations at the same time share one', async () => {
  let done = () => {};
  const reauthenticate = vi.fn(() => new Promise<void>((resolve) => (done = resolve)));
  const { result } = recentAuth(reauthenticate);
  const operations = [1, 2].map((n) => vi.fn(async () => n).mockRejectedValueOnce(tooOld(300)));
  const both = Promise.all(operations.map((operation) => result.current(operation)));
  await settled();
  done();
  await expect(both).resolves.toEqual([1, 2]);
  expect(reauthenticate).toHaveBeenCalledOnce();

  // The next one asks anew.
  const again = result.current(vi.fn(async () => 3).mockRejectedValueOnce(tooOld(300)));
  await settled();
  expect(reauthenticate).toHaveBeenCalledTimes(2);
  done();
  await expect(again).resolves.toBe(3);
});

test('an operation that is refused after another one has asked is only run once more', async () => {
  const reauthenticate = vi.fn(async () => {});
  const { result } = recentAuth(reauthenticate);
  let refuse!: (error: Error) => void;
  const slow = vi.fn(async () => 'slow').mockReturnValueOnce(new Promise((_, reject) => (refuse = reject)));
  const quick = vi.fn(async () => 'quick').mockRejectedValueOnce(tooOld(300));
  const late = result.current(slow);
  await expect(result.current(quick)).resolves.toBe('quick');
  refuse(tooOld(300)); // what the sign-in before is answered with
  await expect(late).resolves.toBe('slow');
  expect(reauthenticate).toHaveBeenCalledOnce();
});

test('one that was refused meanwhile is asked for after all where the first has changed their mind', async () => {
  const reauthenticate = vi.fn(async () => {}).mockRejectedValueOnce(new Error('cancelled'));
  const { result } = recentAuth(reauthenticate);
  let refuse!: (error: Error) => void;
  const slow = vi.fn(async () => 'slow').mockReturnValueOnce(new Promise((_, reject) => (refuse = reject)));
  const late = result.current(slow);
  await expect(result.current(() => Promise.reject(tooOld(300)))).rejects.toThrow('cancelled');
  refuse(tooOld(300));
  await expect(late).resolves.toBe('slow');
  expect(reauthenticate).toHaveBeenCalledTimes(2);
});

test('is one function, which calls the latest callback', async () => {
  const [first, second] = [vi.fn(async () => {}), vi.fn(async () => {})];
  const { result, rerender } = recentAuth(first);
  const before = result.current;
  rerender(second);
  expect(result.current).toBe(before);
  await result.current(vi.fn(async () => {}).mockRejectedValueOnce(tooOld(60)));
  expect(first).not.toHaveBeenCalled();
  expect(second).toHaveBeenCalledOnce();
});

test('alerts reach the latest listener, once, until it is gone', () => {
  const client = new FakeVigil();
  const [first, second] = [vi.fn(), vi.fn()];
  const { rerender, unmount } = renderHook((listener: typeof first) => useSecurityAlerts(listener), { initialProps: first, wrapper: around(client) });
  const alert = { type: 'new_device', device: 'Chrome on Windows' };
  act(() => client.emit('alert', alert));
  expect(first.mock.calls).toEqual([[alert]]);
  rerender(second);
  act(() => client.emit('alert', alert));
  expect(first).toHaveBeenCalledOnce();
  expect(second).toHaveBeenCalledOnce();
  unmount();
  act(() => client.emit('alert', alert));
  expect(second).toHaveBeenCalledOnce();
  expect(client.listening).toBe(0);
});

test('an operation that one person has asked for never runs as the next', async () => {
  const client = new FakeVigil();
  client.live();
  const operation = vi.fn(async () => 'done').mockRejectedValueOnce(tooOld(300));
  const { result } = recentAuth(async () => {
    client.set({ status: 'ended', session: null });
    client.live(aSession('theirs', { userId: 'bob' }));
  }, client);
  await expect(result.current(operation)).rejects.toMatchObject({ code: 'reauth_required' });
  expect(operation).toHaveBeenCalledOnce();
});
