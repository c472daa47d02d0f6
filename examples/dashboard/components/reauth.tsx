'use client';

import { Alert, Button, Group, Modal, PasswordInput, Stack, Text } from '@mantine/core';
import { useRecentAuth } from '@vigilhq/client/react';
import { EmailAuthProvider, reauthenticateWithCredential } from 'firebase/auth';
import { createContext, useCallback, useContext, useEffect, useRef, useState, type FormEvent, type ReactNode } from 'react';
import { useWords } from '@/lib/i18n';
import { useSignInError } from '@/lib/problems';
import { useAccount } from './account';

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
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const [password, setPassword] = useState('');
  const waiting = useRef<{ resolve(password: string): void; reject(error: Error): void } | null>(null);

  const ask = useCallback<Ask>(() => {
    waiting.current?.reject(new Cancelled());
    setError(null);
    setPassword('');
    setOpened(true);
    return new Promise<string>((resolve, reject) => {
      waiting.current = { resolve, reject };
    });
  }, []);

  const cancel = () => {
    waiting.current?.reject(new Cancelled());
    waiting.current = null;
  };
  useEffect(() => cancel, []);

  const close = () => {
    setOpened(false);
    setPassword('');
    cancel();
  };

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!user?.email) return;
    setBusy(true);
    setError(null);
    try {
      await reauthenticateWithCredential(user, EmailAuthProvider.credential(user.email, password));
      waiting.current?.resolve(password);
      waiting.current = null;
      setOpened(false);
      setPassword('');
    } catch (cause) {
      setError(describe(cause));
    } finally {
      setBusy(false);
    }
  };

  return (
    <AskContext value={ask}>
      {/* A stack, or Escape would close the form that asks along with the question. */}
      <Modal.Stack>
        {children}
        <Modal stackId="reauth" opened={opened} onClose={close} title={t.reauth.title} zIndex={400}>
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
        </Modal>
      </Modal.Stack>
    </AskContext>
  );
}
