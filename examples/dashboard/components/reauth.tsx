'use client';

import { Alert, Button, Group, Modal, PasswordInput, Stack, Text } from '@mantine/core';
import { useRecentAuth } from '@vigilhq/client/react';
import { EmailAuthProvider, reauthenticateWithCredential } from 'firebase/auth';
import { createContext, useCallback, useContext, useEffect, useRef, useState, type FormEvent, type ReactNode } from 'react';
import { useWords } from '@/lib/i18n';
import { useSignInError } from '@/lib/problems';
import { useBusy } from '@/lib/use-busy';
import { useAccount } from './account';
import { Dialog } from './dialog';

/** The person has closed the question for the password. Nothing to tell them. */
export class Cancelled extends Error {}

type Ask = () => Promise<string>;

const AskContext = createContext<Ask | null>(null);

/** Asks for the password in a dialog, signs in anew with it and resolves with it. Rejects with {@link Cancelled}. */
export function useConfirmPassword(): Ask {
  const ask = useContext(AskContext);
  if (!ask) throw new Error('useConfirmPassword is called outside ReauthProvider');
  return ask;
}

/** Runs an operation that needs a recent sign-in; asks for the password if the service wants that, and runs it again. */
export function useRecent(): <T>(operation: () => Promise<T>) => Promise<T> {
  const ask = useConfirmPassword();
  return useRecentAuth(useCallback(async () => void (await ask()), [ask]));
}

/** Needs the user's uid as its key: what waits, what is open and what has been typed is that person's, and goes when they do. */
export function ReauthProvider({ children }: { children: ReactNode }) {
  const { t } = useWords();
  const { user, email } = useAccount();
  const describe = useSignInError();
  const [opened, setOpened] = useState(false);
  const [busy, run] = useBusy();
  const [error, setError] = useState<string | null>(null);
  const [password, setPassword] = useState('');
  const waiting = useRef<{ resolve(password: string): void; reject(error: Error): void } | null>(null);
  const confirmed = useRef<string | null>(null); // the password that was right

  const settle = useCallback(() => {
    const { current: asker } = waiting;
    const { current: right } = confirmed;
    waiting.current = confirmed.current = null;
    if (right === null) asker?.reject(new Cancelled());
    else asker?.resolve(right);
  }, []);

  const ask = useCallback<Ask>(() => {
    settle();
    setError(null);
    setPassword('');
    setOpened(true);
    return new Promise<string>((resolve, reject) => {
      waiting.current = { resolve, reject };
    });
  }, [settle]);

  useEffect(
    () => () => {
      confirmed.current = null;
      settle();
    },
    [settle],
  );

  const close = () => {
    setOpened(false);
    setPassword('');
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (busy || !user?.email) return;
    const credential = EmailAuthProvider.credential(user.email, password);
    setError(null);
    void run(async () => {
      await reauthenticateWithCredential(user, credential);
      confirmed.current = password;
      close();
    }).catch((cause) => setError(describe(cause)));
  };

  return (
    <AskContext value={ask}>
      {/* A stack, or Escape would close the form that asks along with the question. */}
      <Modal.Stack>
        {children}
        {/* Who asked goes on when it has gone, so that it does not take the focus with it. */}
        <Dialog stackId="reauth" opened={opened} onClose={close} onExitTransitionEnd={settle} title={t.reauth.title} zIndex={400}>
          <form onSubmit={submit}>
            <Stack>
              <Text size="sm">{t.reauth.text(email)}</Text>
              {error && <Alert color="red" role="alert">{error}</Alert>}
              <input type="email" name="username" autoComplete="username" value={email} readOnly hidden />
              <PasswordInput
                label={t.signIn.password}
                name="password"
                autoComplete="current-password"
                value={password}
                onChange={(event) => setPassword(event.currentTarget.value)}
                required
                withAsterisk={false}
                data-autofocus
              />
              <Group justify="flex-end">
                <Button variant="default" onClick={close}>{t.cancel}</Button>
                <Button type="submit" loading={busy}>{t.reauth.submit}</Button>
              </Group>
            </Stack>
          </form>
        </Dialog>
      </Modal.Stack>
    </AskContext>
  );
}
