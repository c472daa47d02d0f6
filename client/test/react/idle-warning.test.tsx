// @vitest-environment jsdom
import { act, cleanup, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { useIdleWarning } from '../../src/react/index.js';
import { FakeVigil } from './fake.js';
import { around } from './setup.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const pass = (ms: number) => act(() => vi.advanceTimersByTime(ms));

function open(client: FakeVigil, remaining: number) {
  client.live();
  act(() => client.set({ warning: { deadline: client.now() + remaining } }));
}

test('counts down by whole seconds while it is open', () => {
  const client = new FakeVigil();
  let renders = 0;
  const { result } = renderHook(() => (renders++, useIdleWarning()), { wrapper: around(client) });
  expect(result.current).toMatchObject({ open: false, remaining: 0 });

  open(client, 119_400);
  expect(result.current).toMatchObject({ open: true, remaining: 120_000 });
  pass(399);
  expect(result.current.remaining).toBe(120_000);
  pass(1);
  expect(result.current.remaining).toBe(119_000);
  renders = 0;
  for (let left = 118_000; left >= 100_000; left -= 1000) {
    pass(1000);
    expect(result.current.remaining).toBe(left);
  }
  expect(renders).toBe(2 * 19); // StrictMode renders twice
});

test('stops at zero, and stays open until the service has decided', () => {
  const client = new FakeVigil();
  const { result } = renderHook(useIdleWarning, { wrapper: around(client) });
  open(client, 2500);
  pass(60_000);
  expect(result.current).toMatchObject({ open: true, remaining: 0 });
  expect(vi.getTimerCount()).toBe(0);
});

test('closes, and opens again with a later deadline', () => {
  const client = new FakeVigil();
  const { result } = renderHook(useIdleWarning, { wrapper: around(client) });
  open(client, 10_000);
  act(() => client.set({ warning: null }));
  expect(result.current).toMatchObject({ open: false, remaining: 0 });
  expect(vi.getTimerCount()).toBe(0);
  open(client, 30_000);
  expect(result.current.remaining).toBe(30_000);
});

test('goes by the clock of the server', () => {
  const client = new FakeVigil();
  client.offset = -3_600_000; // this clock is an hour fast
  const { result } = renderHook(useIdleWarning, { wrapper: around(client) });
  open(client, 10_000);
  expect(result.current.remaining).toBe(10_000);
});

test('after a sleep shows what is left then', () => {
  const client = new FakeVigil();
  const { result } = renderHook(useIdleWarning, { wrapper: around(client) });
  open(client, 120_000);
  vi.setSystemTime(Date.now() + 90_000); // no timer has run meanwhile
  pass(1000);
  expect(result.current.remaining).toBe(29_000);
  pass(1000);
  expect(result.current.remaining).toBe(28_000);
});

test('goes on when the clock has jumped, and the server has put it right', () => {
  const client = new FakeVigil();
  const { result } = renderHook(useIdleWarning, { wrapper: around(client) });
  open(client, 120_000);
  vi.setSystemTime(Date.now() + 3_600_000);
  pass(1000);
  expect(result.current.remaining).toBe(0);
  client.offset = -3_600_000;
  act(() => client.set({ offset: client.offset }));
  expect(result.current.remaining).toBe(119_000);
  pass(1000);
  expect(result.current.remaining).toBe(118_000);
  expect(vi.getTimerCount()).toBe(1);
});

test('two components show the same', () => {
  const client = new FakeVigil();
  const { result } = renderHook(() => [useIdleWarning(), useIdleWarning()], { wrapper: around(client) });
  open(client, 5500);
  pass(1200);
  expect(result.current.map(({ remaining }) => remaining)).toEqual([5000, 5000]);
});

test('stayActive is the client’s', async () => {
  const client = new FakeVigil();
  const { result } = renderHook(useIdleWarning, { wrapper: around(client) });
  await result.current.stayActive();
  expect(client.stayActive).toHaveBeenCalledOnce();
});

test('leaves no timer and no listener', () => {
  const client = new FakeVigil();
  const { unmount } = renderHook(useIdleWarning, { wrapper: around(client) });
  open(client, 10_000);
  expect(vi.getTimerCount()).toBe(1);
  unmount();
  expect(vi.getTimerCount()).toBe(0);
  expect(client.listening).toBe(0);
});
