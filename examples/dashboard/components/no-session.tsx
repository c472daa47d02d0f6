'use client';

import { Button, Card, Center, Group, Text, Title } from '@mantine/core';
import { useVigil } from '@vigilhq/client/react';
import { useWords } from '@/lib/i18n';
import { useProblem } from '@/lib/problems';
import { useAccount } from './account';
import { DocumentTitle } from './states';

/** In place of the pages when the service has given this sign-in no session, and would give none if the client asked on by itself. */
export function NoSession({ error }: { error: Error }) {
  const { t } = useWords();
  const { email, leave } = useAccount();
  const { client } = useVigil();
  const problem = useProblem();
  return (
    <Center mih="100dvh" component="main" px="md" data-testid="no-session">
      <DocumentTitle title={t.noSession.title} />
      <Card maw={460} p="xl">
        <Title order={1} fz={24} lts="-0.02em">{t.noSession.title}</Title>
        <Text c="dimmed" mt={4}>{email}</Text>
        <Text role="alert" my="lg">{problem(error)}</Text>
        <Group>
          <Button onClick={() => client.start()}>{t.retry}</Button>
          <Button variant="default" onClick={() => leave('logout')}>{t.nav.logout}</Button>
        </Group>
      </Card>
    </Center>
  );
}
