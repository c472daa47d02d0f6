'use client';

import { Container, Tabs } from '@mantine/core';
import { SessionSearch } from '@/components/admin/session-search';
import { Statistics } from '@/components/admin/statistics';
import { EventList } from '@/components/event-list';
import { PageTitle, Section } from '@/components/states';
import { useWords } from '@/lib/i18n';
import { useQuery } from '@/lib/query';

/** All sessions of all users. */
export default function AdminPage() {
  const { t } = useWords();
  const [query, setQuery] = useQuery();
  return (
    <Container size={1160} p={0}>
      <PageTitle title={t.admin.title} subtitle={t.admin.subtitle} />
      <Tabs value={query.get('tab') ?? 'sessions'} onChange={(tab) => setQuery({ tab: tab === 'sessions' ? '' : tab ?? '' })} keepMounted={false}>
        <Tabs.List mb="lg" fw={550}>
          <Tabs.Tab value="sessions">{t.admin.tabs.sessions}</Tabs.Tab>
          <Tabs.Tab value="statistics">{t.admin.tabs.statistics}</Tabs.Tab>
          <Tabs.Tab value="events">{t.admin.tabs.events}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="sessions"><SessionSearch /></Tabs.Panel>
        <Tabs.Panel value="statistics"><Statistics /></Tabs.Panel>
        <Tabs.Panel value="events">
          <Section label={t.admin.tabs.events}><EventList path="/v1/admin/events" admin /></Section>
        </Tabs.Panel>
      </Tabs>
    </Container>
  );
}
