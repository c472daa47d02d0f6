// @vitest-environment jsdom
import { act, cleanup, render, renderHook, screen } from '@testing-library/react';
import { startTransition, useState } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterEach, expect, test, vi } from 'vitest';
import { useIdleWarning, useRecentAuth, useSecurityAlerts, useSessions, useVigil, VigilProvider } from '../../src/react/index.js';
import { aSession, FakeVigil } from './fake.js';
import { around } from './setup.js';

afterEach(cleanup);

test('useVigil is the state and the client, and follows it', () => {
  const client = new FakeVigil();
  const { result, unmount } = renderHook(useVigil, { wrapper: around(client) });
  expect(result.current).toMatchObject({ status: 'idle', session: null, client });

  act(() => client.live());
  expect(result.current).toMatchObject({ status: 'live', session: { id: 'here' } });
  act(() => client.set({ status: 'ended', ended: 'admin_revoked' }));
  expect(result.current.ended).toBe('admin_revoked');

  unmount();
  expect(client.listening).toBe(0);
});

test('the provider starts and stops nothing', () => {
  const client = new FakeVigil();
  render(<VigilProvider client={client} />).unmount();
  expect(client.start).not.toHaveBeenCalled();
  expect(client.stop).not.toHaveBeenCalled();
});

test('useVigil returns the same until something changes', () => {
  const client = new FakeVigil();
  const { result, rerender } = renderHook(useVigil, { wrapper: around(client) });
  const before = result.current;
  rerender();
  expect(result.current).toBe(before);
});

test('another client takes over', () => {
  const [first, second] = [new FakeVigil(), new FakeVigil()];
  first.live(aSession('one'));
  second.live(aSession('two'));
  const Shown = () => <p>{useVigil().session?.id}</p>;
  const page = (client: FakeVigil) => <VigilProvider client={client}><Shown /></VigilProvider>;
  const { rerender } = render(page(first));
  rerender(page(second));
  expect(screen.getByText('two')).toBeTruthy();
  expect(first.listening).toBe(0);
});

test('two components never show two states, also when one is slow', () => {
  const client = new FakeVigil();
  client.live(aSession('one'));
  const pairs: string[] = [];
  let show = (_: boolean) => {};
  const Id = ({ to }: { to: string[] }) => {
    to.push(useVigil().session!.id);
    return null;
  };
  function Page() {
    const [open, setOpen] = useState(false);
    show = setOpen;
    const seen: string[] = [];
    return open && <><Id to={seen} /><Change /><Id to={seen} /><Look seen={seen} /></>;
  }
  // The state changes while a transition renders, between one component and the next.
  let changed = false;
  function Change() {
    if (!changed) {
      changed = true;
      client.set({ session: aSession('two') });
    }
    return null;
  }
  function Look({ seen }: { seen: string[] }) {
    pairs.push(seen.join());
    return null;
  }
  const quiet = vi.spyOn(console, 'error').mockImplementation(() => {});
  const { container } = render(<VigilProvider client={client}><Page /></VigilProvider>);
  act(() => startTransition(() => show(true)));
  quiet.mockRestore();
  expect(pairs.at(-1)).toBe('two,two');
  expect(container).toBeTruthy();
});

function Everything() {
  const { status } = useVigil();
  const { open, remaining } = useIdleWarning();
  const { sessions, loading } = useSessions();
  useRecentAuth(async () => {});
  useSecurityAlerts(() => {});
  return <p>{[status, open, remaining, sessions.length, loading].join(' ')}</p>;
}

test('the server renders what is not known yet, and listens to nothing', () => {
  const client = new FakeVigil();
  client.live(); // another request's, say: the server must not show it
  expect(renderToString(<VigilProvider client={client}><Everything /></VigilProvider>)).toBe('<p>idle false 0 0 true</p>');
  expect(client.listening).toBe(0);
  expect(client.sessions).not.toHaveBeenCalled();
});

test('the page hydrates as the server has rendered it, and then shows what there is', async () => {
  const client = new FakeVigil();
  client.there = [aSession('here')];
  const page = <VigilProvider client={client}><Everything /></VigilProvider>;
  const container = document.createElement('div');
  container.innerHTML = renderToString(page);
  client.live();
  const onRecoverableError = vi.fn();
  const root = await act(async () => hydrateRoot(container, page, { onRecoverableError }));
  expect(onRecoverableError).not.toHaveBeenCalled();
  expect(container.textContent).toBe('live false 0 1 false');
  act(() => root.unmount());
  expect(client.listening).toBe(0);
});

test.each([useVigil, useIdleWarning, useSessions, () => useSecurityAlerts(() => {})])('without a provider a hook says so', (hook) => {
  const quiet = vi.spyOn(console, 'error').mockImplementation(() => {});
  expect(() => renderHook(hook)).toThrow('no VigilProvider');
  quiet.mockRestore();
});
