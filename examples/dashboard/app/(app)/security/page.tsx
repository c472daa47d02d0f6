'use client';

import { Container } from '@mantine/core';
import { AccountSettings } from '@/components/account-settings';
import { DeleteAccount } from '@/components/delete-account';
import { EventList } from '@/components/event-list';
import { ServerCheck } from '@/components/server-check';
import { PageTitle, Section } from '@/components/states';
import { useWords } from '@/lib/i18n';

/** How somebody signs in, and what has happened to their account. */
export default function SecurityPage() {
  const { t } = useWords();
  return (
    <Container size={900} p={0}>
      <PageTitle title={t.security.title} subtitle={t.security.subtitle} />
      <AccountSettings />
      <ServerCheck />
      <Section title={t.security.events} text={t.security.eventsText}>
        <EventList path="/v1/events" />
      </Section>
      <DeleteAccount />
    </Container>
  );
}
