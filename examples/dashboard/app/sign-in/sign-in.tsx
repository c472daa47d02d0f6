'use client';

import { Alert, Badge, Box, Button, Card, Center, Group, List, PasswordInput, Stack, Text, TextInput, ThemeIcon, Title } from '@mantine/core';
import { IconCheck, IconInfoCircle, IconLogout } from '@tabler/icons-react';
import { useRouter } from 'next/navigation';
import { useEffect, useRef, useState, type FormEvent } from 'react';
import { useAccount } from '@/components/account';
import { Logo } from '@/components/logo';
import { Preferences } from '@/components/preferences';
import { DocumentTitle } from '@/components/states';
import { useEndReason } from '@/lib/end-reason';
import { useWords } from '@/lib/i18n';
import { nextPath } from '@/lib/next-path';
import { useSignInError } from '@/lib/problems';
import { useBusy } from '@/lib/use-busy';
import classes from './sign-in.module.css';

// The users of `vigil dev`, which answers to this machine alone.
const DEMO = [
  { email: 'ana@example.com', password: 'ana-password', admin: false },
  { email: 'admin@example.com', password: 'admin-password', admin: true },
];

export function SignIn() {
  const { t } = useWords();
  const { user } = useAccount();
  const router = useRouter();

  useEffect(() => {
    if (user) router.replace(nextPath());
  }, [user, router]);

  return (
    <div className={classes.page}>
      <DocumentTitle title={t.signIn.submit} />
      <Box component="aside" className={classes.pitch}>
        <div>
          <Title order={2} fz={34} lh={1.2} lts="-0.025em" mb="xl" maw={440}>{t.signIn.pitchTitle}</Title>
          <List spacing="md" icon={<ThemeIcon size={24} radius="xl" color="rgba(255, 255, 255, 0.18)" c="white"><IconCheck size={15} aria-hidden /></ThemeIcon>}>
            {t.signIn.pitch.map((line) => <List.Item key={line} fz="md" lh={1.5}>{line}</List.Item>)}
          </List>
        </div>
      </Box>
      <main className={classes.main}>
        <Group justify="space-between" p={{ base: 'md', sm: 'lg' }}>
          <Logo name={t.brand} />
          <Preferences />
        </Group>
        <Center px="md" pb={64} flex={1}>
          <Box w="100%" maw={396}>
            <Form />
          </Box>
        </Center>
      </main>
    </div>
  );
}

function Form() {
  const { t } = useWords();
  const { config, signIn, user } = useAccount();
  const describe = useSignInError();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [error, setError] = useState<string | null>(null);
  const [busy, run] = useBusy();

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setError(null);
    void run(() => signIn(email.trim(), password).catch((cause) => setError(describe(cause))));
  };

  return (
    <Stack gap="lg">
      <EndedBanner />
      <div>
        <Title order={1} fz={28} lts="-0.02em">{t.signIn.title}</Title>
        <Text c="dimmed" mt={4}>{t.signIn.subtitle}</Text>
      </div>
      <form onSubmit={submit} aria-label={t.signIn.submit}>
        <Stack gap="md">
          {error && <Alert color="red" role="alert" icon={<IconInfoCircle aria-hidden />}>{error}</Alert>}
          <TextInput
            label={t.signIn.email}
            type="email"
            name="email"
            autoComplete="username"
            size="md"
            required
            withAsterisk={false}
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
          <PasswordInput
            label={t.signIn.password}
            name="password"
            autoComplete="current-password"
            size="md"
            required
            withAsterisk={false}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          <Button type="submit" size="md" fullWidth loading={busy || !!user}>{t.signIn.submit}</Button>
        </Stack>
      </form>
      {config.emulatorUrl && (
        <Card p="md" component="section" aria-label={t.signIn.demoTitle} data-testid="demo-accounts">
          <Text fw={600} size="sm">{t.signIn.demoTitle}</Text>
          <Text size="sm" c="dimmed" mt={2} mb="sm">{t.signIn.demoText}</Text>
          <Stack gap={8}>
            {DEMO.map((account) => (
              <Button
                key={account.email}
                variant="default"
                justify="space-between"
                fw={500}
                fullWidth
                rightSection={<Badge variant="light" color={account.admin ? 'iris' : 'gray'}>{account.admin ? t.signIn.demoAdmin : t.signIn.demoUser}</Badge>}
                onClick={() => {
                  setEmail(account.email);
                  setPassword(account.password);
                }}
              >
                {account.email}
              </Button>
            ))}
          </Stack>
        </Card>
      )}
    </Stack>
  );
}

/** Why they have been signed out, in words. */
function EndedBanner() {
  const { t } = useWords();
  const reason = useEndReason();
  const [title, text] = (reason && t.ended[reason]) || [];
  const banner = useRef<HTMLDivElement>(null);
  useEffect(() => banner.current?.focus(), [title]); // what has happened comes before the form
  if (!title) return null;
  return (
    <Alert
      ref={banner}
      tabIndex={-1}
      style={{ outline: 'none' }}
      color={reason === 'logout' ? 'gray' : 'yellow'}
      icon={<IconLogout aria-hidden />}
      title={title}
      role="status"
      data-testid="ended-banner"
      data-reason={reason}
    >
      {text}
    </Alert>
  );
}
