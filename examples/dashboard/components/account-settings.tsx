'use client';

import { Alert, Button, Group, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { VigilError } from '@vigilhq/client';
import { useVigil } from '@vigilhq/client/react';
import { useState, type FormEvent, type ReactNode } from 'react';
import { useWords } from '@/lib/i18n';
import { useProblem } from '@/lib/problems';
import { useBusy } from '@/lib/use-busy';
import { useAccount } from './account';
import { Dialog } from './dialog';
import { Cancelled, useConfirmPassword, useRecent } from './reauth';
import { Section } from './states';

const MIN_PASSWORD = 8;

/** E-mail and password. Both changes need a recent sign-in, and a new one after them, for Firebase ends all refresh tokens. */
export function AccountSettings() {
  const { t } = useWords();
  const { email } = useAccount();
  const [open, setOpen] = useState<'email' | 'password' | null>(null);
  const close = () => setOpen(null);
  const rows = [
    { key: 'email', name: t.security.email, text: email, action: t.security.changeEmail },
    { key: 'password', name: t.security.password, text: t.security.passwordText, action: t.security.changePassword },
  ] as const;
  return (
    <Section title={t.security.account}>
      <div className="rows">
        {rows.map(({ key, name, text, action }) => (
          <Group key={key} className="row" justify="space-between">
            <div>
              <Text size="sm" fw={600}>{name}</Text>
              <Text size="sm" c="dimmed" data-testid={`current-${key}`}>{text}</Text>
            </div>
            <Button variant="default" size="xs" onClick={() => setOpen(key)}>{action}</Button>
          </Group>
        ))}
      </div>
      <Dialog
        stackId="account"
        opened={open !== null}
        onClose={close}
        title={open === 'email' ? t.security.changeEmail : t.security.changePassword}
      >
        {open === 'email' ? <EmailForm onDone={close} /> : open === 'password' ? <PasswordForm onDone={close} /> : null}
      </Dialog>
    </Section>
  );
}

/**
 * Signs in with the new data, and lets the client register the new sign-in in place of the old one. What has changed stays changed where
 * that fails: then the sign-in page says so, and is the way on.
 */
function useSignInAgain() {
  const { signIn, leave } = useAccount();
  const { client } = useVigil();
  return async (email: string, password: string, done: string) => {
    try {
      await signIn(email, password);
    } catch {
      return leave('credentials_changed');
    }
    await client.request('GET', '/v1/sessions/current').catch(() => {}); // the client goes on trying by itself
    notifications.show({ color: 'green', message: done });
  };
}

function EmailForm({ onDone }: { onDone: () => void }) {
  const { t } = useWords();
  const { email: current } = useAccount();
  const { client } = useVigil();
  const confirmPassword = useConfirmPassword();
  const recent = useRecent();
  const signInAgain = useSignInAgain();
  const [email, setEmail] = useState('');

  return (
    <ChangeForm
      check={() => (!/^[^@\s]+@[^@\s]+$/.test(email.trim()) ? t.security.emailInvalid : email.trim() === current ? t.security.emailSame : null)}
      onDone={onDone}
      change={async () => {
        const password = await confirmPassword(); // for the sign-in afterwards
        await recent(() => client.request('PUT', '/v1/account/email', { email: email.trim() }));
        await signInAgain(email.trim(), password, t.security.emailChanged);
      }}
    >
      <TextInput
        label={t.security.newEmail}
        type="email"
        name="email"
        autoComplete="email"
        required
        withAsterisk={false}
        value={email}
        onChange={(event) => setEmail(event.currentTarget.value)}
        data-autofocus
      />
    </ChangeForm>
  );
}

function PasswordForm({ onDone }: { onDone: () => void }) {
  const { t } = useWords();
  const { email } = useAccount();
  const { client } = useVigil();
  const recent = useRecent();
  const signInAgain = useSignInAgain();
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');

  return (
    <ChangeForm
      check={() => (password.length < MIN_PASSWORD ? t.security.passwordShort : password === again ? null : t.security.passwordDiffers)}
      onDone={onDone}
      change={async () => {
        await recent(() => client.request('PUT', '/v1/account/password', { password }));
        await signInAgain(email, password, t.security.passwordChanged);
      }}
    >
      <input type="email" name="username" autoComplete="username" value={email} readOnly hidden />
      <PasswordInput
        label={t.security.newPassword}
        description={t.security.passwordHint}
        name="new-password"
        autoComplete="new-password"
        required
        withAsterisk={false}
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
        data-autofocus
      />
      <PasswordInput
        label={t.security.repeatPassword}
        name="repeat-password"
        autoComplete="new-password"
        required
        withAsterisk={false}
        value={again}
        onChange={(event) => setAgain(event.currentTarget.value)}
      />
    </ChangeForm>
  );
}

/** A form of a dialog that changes something: checked first, closed when done. */
function ChangeForm({ check, change, onDone, children }: { check: () => string | null; change: () => Promise<void>; onDone: () => void; children: ReactNode }) {
  const { t } = useWords();
  const problem = useProblem();
  const [error, setError] = useState<string | null>(null);
  const [busy, run] = useBusy();

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wrong = check();
    setError(wrong);
    if (wrong) return;
    void run(change).then(onDone).catch((cause) => {
      const field = cause instanceof VigilError ? cause.details.errors?.[0]?.field : undefined;
      if (!(cause instanceof Cancelled)) setError((field && t.security.refused[field]) || problem(cause));
    });
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        {error && <Alert color="red" role="alert">{error}</Alert>}
        {children}
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>{t.cancel}</Button>
          <Button type="submit" loading={busy}>{t.security.save}</Button>
        </Group>
      </Stack>
    </form>
  );
}
