// @vitest-environment jsdom
import { act, cleanup, render, renderHook } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';
import { VigilError } from '../../src/core/error.js';
import type { Session } from '../../src/core/types.js';
import { useSessions, VigilProvider, type Sessions } from '../../src/react/index.js';
import { aSession, FakeVigil } from './fake.js';
import { around } from './setup.js';

afterEach(cleanup);

const ids = ({ sessions }: Sessions) => sessions.map(({ id }) => id);

function signedIn(...others: string[]) {
  const client = new FakeVigil();
  client.there = [aSession('here'), ...others.map((id) => aSession(id))];
  client.live();
  return client;
}

const show = async (client: FakeVigil) => act(async () => renderHook(useSessions, { wrapper: around(client) }));

/** The service's next answers wait until the test gives them. */
function held(client: FakeVigil) {
  const waiting: ((sessions: Session[] | Error) => void)[] = [];
  client.sessions.mockImplementation(
    () => new Promise((resolve, reject) => void waiting.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer)))),
  );
  return waiting;
}

test('waits for the sign-in, loads, and shows', async () => {
  const client = new FakeVigil();
  client.there = [aSession('here'), aSession('phone')];
  const { result } = await show(client);
  expect(result.current).toMatchObject({ loading: true, sessions: [], error: null });
  await act(async () => client.set({ status: 'live' })); // a socket, and nobody's yet
  expect(client.sessions).not.toHaveBeenCalled();

  act(() => client.set({ status: 'connecting' }));
  expect(result.current.loading).toBe(true);
  await act(async () => client.live());
  expect(ids(result.current)).toEqual(['here', 'phone']);
  expect(result.current.loading).toBe(false);
  expect(client.sessions).toHaveBeenCalledOnce();
});

test('follows what begins and ends', async () => {
  const client = signedIn('phone');
  const { result } = await show(client);
  client.there.push(aSession('tablet'));
  await act(async () => client.emit('started', { session: aSession('tablet') }));
  expect(ids(result.current)).toEqual(['here', 'phone', 'tablet']);

  client.there = [aSession('here'), aSession('tablet')];
  act(() => client.emit('closed', { sessionId: 'phone', reason: 'logout' }));
  expect(ids(result.current)).toEqual(['here', 'tablet']); // before the service has answered
  expect(result.current.loading).toBe(false);
  await act(async () => {});
  expect(ids(result.current)).toEqual(['here', 'tablet']);
});

test('asks again when the socket is back, since it may have missed something', async () => {
  const client = signedIn('phone');
  const { result } = await show(client);
  await act(async () => client.set({ status: 'reconnecting' }));
  expect(ids(result.current)).toEqual(['here', 'phone']);
  client.there = [aSession('here')];
  await act(async () => client.set({ status: 'live' }));
  expect(ids(result.current)).toEqual(['here']);
});

test('an answer that something has overtaken is not shown', async () => {
  const client = signedIn('phone');
  const { result } = await show(client);
  const answers = held(client);
  act(() => void result.current.refresh());
  act(() => client.emit('closed', { sessionId: 'phone', reason: 'revoked' }));
  expect(answers).toHaveLength(1); // one request at a time
  await act(async () => answers[0]!([aSession('here'), aSession('phone')]));
  expect(ids(result.current)).toEqual(['here']);
  await act(async () => answers[1]!([aSession('here'), aSession('new')]));
  expect(ids(result.current)).toEqual(['here', 'new']);
  expect(answers).toHaveLength(2);
});

test('ends one, and the others', async () => {
  const client = signedIn('phone', 'tablet', 'work');
  const { result } = await show(client);
  await act(() => result.current.end('phone'));
  expect(client.end).toHaveBeenCalledWith('phone');
  expect(ids(result.current)).toEqual(['here', 'tablet', 'work']);
  let ended = 0;
  await act(async () => void (ended = await result.current.endOthers()));
  expect(ended).toBe(2);
  expect(ids(result.current)).toEqual(['here']);
});

test('what could not be ended stays', async () => {
  const client = signedIn('phone');
  const { result } = await show(client);
  client.end.mockRejectedValueOnce(new VigilError(503, 'unavailable', 'not now'));
  client.endOthers.mockRejectedValueOnce(new VigilError(503, 'unavailable', 'not now'));
  await expect(result.current.end('phone')).rejects.toThrow('not now');
  await expect(result.current.endOthers()).rejects.toThrow('not now');
  expect(ids(result.current)).toEqual(['here', 'phone']);
});

test('a failure leaves the list, and the next answer takes it away', async () => {
  const client = signedIn('phone');
  const { result } = await show(client);
  client.sessions.mockRejectedValueOnce(new VigilError(0, 'unavailable', 'no answer'));
  await act(() => result.current.refresh());
  expect(result.current.error?.message).toBe('no answer');
  expect(ids(result.current)).toEqual(['here', 'phone']);
  await act(() => result.current.refresh());
  expect(result.current.error).toBeNull();
});

test('a first failure can be tried again', async () => {
  const client = signedIn();
  client.sessions.mockRejectedValue(new VigilError(0, 'unavailable', 'no answer'));
  const { result } = await show(client);
  expect(result.current).toMatchObject({ loading: false, sessions: [], error: { code: 'unavailable' } });
  const answers = held(client);
  act(() => void result.current.refresh());
  expect(result.current.loading).toBe(true);
  await act(async () => answers[0]!([aSession('here')]));
  expect(result.current).toMatchObject({ loading: false, error: null });
});

/** A page that shows the list, or does not, and what it has shown. */
function page(client: FakeVigil, wrapper = around(client)) {
  const shown: string[][] = [];
  const List = () => {
    shown.push(ids(useSessions()));
    return null;
  };
  const { rerender } = render(<p />, { wrapper });
  return { shown, open: () => rerender(<List />), close: () => rerender(<p />) };
}

test('another user sees nothing of the one before, not for one frame', async () => {
  const client = signedIn('phone');
  const { shown, open, close } = page(client);
  await act(async () => open());
  expect(shown.at(-1)).toEqual(['here', 'phone']);
  close();

  client.set({ session: null, status: 'idle' });
  client.there = [aSession('bobs', { userId: 'bob' })];
  client.live(aSession('bobs', { userId: 'bob' }));
  shown.length = 0;
  await act(async () => open());
  expect(shown[0]).toEqual([]);
  expect(new Set(shown.flat())).toEqual(new Set(['bobs']));
});

test('an answer that comes after the user has changed, and nobody was looking, is not shown', async () => {
  const client = signedIn();
  const answers = held(client);
  // Not in StrictMode, which asks twice, so that the first answer is out of date anyway.
  const { shown, open, close } = page(client, ({ children }) => <VigilProvider client={client}>{children}</VigilProvider>);
  open();
  close();
  client.live(aSession('bobs', { userId: 'bob' }));
  await act(async () => answers[0]!([aSession('here'), aSession('phone')]));
  shown.length = 0;
  open();
  expect(shown.flat()).toEqual([]);
});

test('is asked again when it is shown again, since nobody has listened', async () => {
  const client = signedIn('phone');
  const { shown, open, close } = page(client);
  await act(async () => open());
  close();
  client.there = [aSession('here')];
  shown.length = 0;
  await act(async () => open());
  expect(shown[0]).toEqual(['here', 'phone']);
  expect(shown.at(-1)).toEqual(['here']);
});

test('an answer for the user before is not shown', async () => {
  const client = signedIn();
  const answers = held(client);
  const { result } = await show(client);
  await act(async () => client.live(aSession('bobs', { userId: 'bob' })));
  await act(async () => answers[0]!([aSession('here'), aSession('phone')]));
  expect(result.current).toMatchObject({ sessions: [], loading: true });
  await act(async () => answers[1]!([aSession('bobs', { userId: 'bob' })]));
  expect(ids(result.current)).toEqual(['bobs']);
});

test('after a new sign-in on this device the list stays until the new one is there', async () => {
  const client = signedIn('phone');
  const { result } = await show(client);
  client.there = [aSession('again', { current: true }), aSession('phone')];
  act(() => client.live(aSession('again')));
  expect(ids(result.current)).toEqual(['here', 'phone']);
  await act(async () => {});
  expect(ids(result.current)).toEqual(['again', 'phone']);
});

test('is empty after the end, and asks nothing more', async () => {
  const client = signedIn('phone');
  const { result } = await show(client);
  client.sessions.mockClear();
  await act(async () => client.set({ status: 'ended', ended: 'revoked' }));
  expect(result.current).toMatchObject({ sessions: [], loading: false, error: null });
  expect(client.sessions).not.toHaveBeenCalled();
});

test('loads no more when the client has given up', async () => {
  const client = new FakeVigil();
  const { result } = await show(client);
  act(() => client.set({ status: 'connecting' }));
  act(() => client.set({ status: 'idle', error: new VigilError(401, 'token_invalid', 'not of this project') }));
  expect(result.current).toMatchObject({ sessions: [], loading: false, error: null });
});

test('an end while it is asked is the last word', async () => {
  const client = signedIn();
  const answers = held(client);
  const { result } = await show(client);
  act(() => client.emit('started', { session: aSession('phone') }));
  await act(async () => client.set({ status: 'ended', session: null, ended: 'revoked' }));
  await act(async () => answers[0]!(client.there));
  expect(answers).toHaveLength(1);
  expect(result.current).toMatchObject({ sessions: [], loading: false });
});

test('components share one list, which listens while there are any', async () => {
  const client = signedIn();
  const answers = held(client);
  const Around = around(client);
  const { result, unmount } = renderHook(() => [useSessions(), useSessions(), useSessions()], { wrapper: Around });
  await act(async () => answers[0]!(client.there));
  await act(async () => answers[1]?.(client.there));
  expect(answers.length).toBeLessThanOrEqual(2); // the second is StrictMode's
  expect(result.current[0]!.sessions).toBe(result.current[2]!.sessions);
  unmount();
  expect(client.listening).toBe(0);
});
