// @vitest-environment jsdom
import { act, cleanup, renderHook } from '@testing-library/react';
import { afterEach, describe, expect, test } from 'vitest';
import { VigilError } from '../../src/core/index.js';
import { useIdleWarning, useRecentAuth, useSessions, useVigil } from '../../src/react/index.js';
import { pass, sleep, Tab } from '../core/browser.js';
import { sessionId, type SignIn } from '../core/server.js';
import { browser, server, setUp, tab } from '../core/setup.js';
import { around } from './setup.js';

// The hooks on the client itself, rather than on the one that plays it.

setUp(() => new Tab(browser));

afterEach(cleanup);

const show = <T,>(hook: () => T) => renderHook(hook, { wrapper: around(tab.vigil) }).result;

const signIn = () => act(async () => void (await tab.live()));

test('a page from the sign-in to the end', async () => {
  const shown = show(() => ({ ...useVigil(), list: useSessions(), idle: useIdleWarning() }));
  await signIn();
  expect(shown.current).toMatchObject({ status: 'live', list: { loading: false, error: null }, idle: { open: false } });
  expect(shown.current.list.sessions).toMatchObject([{ id: shown.current.session!.id }]);
  expect(server.requests.filter(({ method, path }) => method === 'GET' && path === '/v1/sessions')).toHaveLength(1);

  const other = server.begin({ sub: 'ana', auth_time: 1 }).session;
  await act(async () => (server.peer.push({ type: 'session_started', session: other }), await pass(100)));
  expect(shown.current.list.sessions).toHaveLength(2);
  await act(async () => void (await Promise.all([shown.current.list.end(other.id), pass(100)])));
  expect(shown.current.list.sessions).toHaveLength(1);

  await act(async () => (sleep(28 * 60_000), server.warn(shown.current.session!.id), await pass(100)));
  expect(shown.current.idle).toMatchObject({ open: true, remaining: 120_000 });
  await act(() => pass(30_000));
  expect(shown.current.idle.remaining).toBe(90_000);
  await act(async () => void (await Promise.all([shown.current.idle.stayActive(), pass(100)])));
  expect(shown.current.idle).toMatchObject({ open: false, remaining: 0 });

  await act(async () => (server.end(shown.current.session!.id, 'admin_revoked'), await pass(100)));
  expect(shown.current).toMatchObject({ status: 'ended', ended: 'admin_revoked', list: { sessions: [], loading: false } });
});

test('the page ends its own session, and that is no error', async () => {
  const shown = show(() => ({ ...useVigil(), list: useSessions() }));
  await signIn();
  const asked = server.requests.length;
  await act(async () => void (await Promise.all([shown.current.list.end(shown.current.session!.id), pass(1000)])));
  expect(shown.current).toMatchObject({ status: 'ended', ended: 'logout', list: { sessions: [], loading: false, error: null } });
  await act(async () => void (await Promise.all([shown.current.list.refresh(), pass(1000)])));
  expect(shown.current.list.error).toBeNull();
  expect(server.requests).toHaveLength(asked + 1); // to end it
});

test('a list that is not answered fails in the end, and comes with the next connection', async () => {
  server.begin(browser.signIn!);
  const shown = show(() => ({ ...useVigil(), list: useSessions() }));
  tab.vigil.start();
  await act(() => pass(25));
  server.silent = true; // before the list is asked for
  await act(() => pass(29_000));
  expect(server.requests).toHaveLength(0);
  expect(shown.current.list).toMatchObject({ loading: true, error: null });
  await act(() => pass(3_000));
  expect(shown.current.list).toMatchObject({ loading: false, error: { code: 'unavailable' } });
  server.silent = false;
  await act(() => pass(60_000));
  expect(shown.current).toMatchObject({ status: 'live', list: { loading: false, error: null } });
  expect(shown.current.list.sessions).toHaveLength(1);
});

test('a re-authentication on the way is a new session, and the operation goes through', async () => {
  const shown = show(() => ({
    ...useVigil(),
    list: useSessions(),
    withRecentAuth: useRecentAuth(async () => browser.reauthenticate()),
  }));
  await signIn();
  const before = shown.current.session!.id;
  await act(() => pass(600_000));
  const old = browser.signIn!;
  const answers: number[] = [];
  server.intercept = (_, path) => {
    if (path !== '/v1/account/email') return undefined;
    const answer = browser.signIn === old ? server.problem(401, 'reauth_required', { maxAge: 300 })
      : server.sessions.has(sessionId(browser.signIn!)) ? new Response(null, { status: 204 })
      : server.problem(401, 'session_required');
    answers.push(answer.status);
    return answer;
  };

  const change = shown.current.withRecentAuth(() => tab.vigil.request('PUT', '/v1/account/email', { email: 'ana@example.org' }));
  await act(async () => void (await Promise.all([change, pass(2000)])));
  expect(answers).toEqual([401, 204]); // not recent, then registered and done
  expect(shown.current).toMatchObject({ status: 'live', list: { loading: false } });
  expect(shown.current.session!.id).not.toBe(before);
  expect(shown.current.list.sessions.map(({ id }) => id)).toEqual([shown.current.session!.id]);
  expect(tab.onEnded).not.toHaveBeenCalled();
});

describe('with the cookie', () => {
  setUp(() => new Tab(browser, { cookie: {} }));

  test('a re-authentication for the application’s own server reaches it', async () => {
    const shown = show(() => ({ ...useVigil(), withRecentAuth: useRecentAuth(async () => browser.reauthenticate()) }));
    await signIn();
    await act(() => pass(600_000));
    // The server asks the service, by the cookie that comes with the request.
    const answers: string[] = [];
    const pay = async () => {
      const token = browser.cookies.get('vigil_token')!;
      const signIn = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as SignIn;
      const response = !server.sessions.has(sessionId(signIn)) ? server.problem(401, 'session_required')
        : server.now() / 1000 - signIn.auth_time > 300 ? server.problem(401, 'reauth_required', { maxAge: 300 })
        : Response.json({ paid: true });
      answers.push(String(response.status));
      if (!response.ok) throw await VigilError.from(response);
      return response.json();
    };

    const paid = shown.current.withRecentAuth(pay);
    await act(async () => void (await Promise.all([paid, pass(2000)])));
    await expect(paid).resolves.toEqual({ paid: true });
    expect(answers).toEqual(['401', '200']);
    expect(shown.current.status).toBe('live');
  });
});
