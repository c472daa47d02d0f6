'use client';

import { Button, Card, Group, Select, SimpleGrid, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useState, type FormEvent } from 'react';
import type { Filter } from '@/lib/api';
import { useWords } from '@/lib/i18n';

/** What is searched for when nothing has been entered. */
export const DEFAULT_FILTER: Filter = { status: 'active' };

const DEVICES = ['desktop', 'mobile', 'tablet', 'bot', 'other'] as const;

/** The form of the search. */
export function Filters({ onSearch }: { onSearch: (filter: Filter) => void }) {
  const { t } = useWords();
  const [filter, setFilter] = useState(DEFAULT_FILTER);
  const [minutes, setMinutes] = useState('');
  const set = (patch: Filter) => setFilter((filter) => ({ ...filter, ...patch }));
  const country = filter.country ?? '';
  const wrongCountry = country !== '' && !/^[a-z]{2}$/i.test(country);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (wrongCountry) return;
    const activeBefore = minutes ? new Date(Date.now() - Number(minutes) * 60_000).toISOString() : undefined;
    // The service refuses what is there but empty.
    const chosen = Object.entries({ ...filter, activeBefore }).filter(([, value]) => value);
    onSearch(Object.fromEntries(chosen) as Filter);
  };

  const reset = () => {
    setFilter(DEFAULT_FILTER);
    setMinutes('');
    onSearch({ ...DEFAULT_FILTER });
  };

  return (
    <Card component="section" mb="lg" aria-label={t.admin.filters}>
      <form onSubmit={submit} role="search" aria-label={t.admin.filters}>
        <SimpleGrid cols={{ base: 2, md: 3 }} spacing="md" style={{ alignItems: 'end' }}>
          <TextInput label={t.admin.user} name="userId" autoComplete="off" value={filter.userId ?? ''} onChange={(event) => set({ userId: event.currentTarget.value.trim() })} />
          <TextInput label={t.admin.ip} name="ip" autoComplete="off" value={filter.ip ?? ''} onChange={(event) => set({ ip: event.currentTarget.value.trim() })} />
          <TextInput
            label={t.admin.country}
            name="country"
            autoComplete="off"
            placeholder={t.admin.countryHint}
            maxLength={2}
            value={country}
            error={wrongCountry && t.admin.countryInvalid}
            onChange={(event) => set({ country: event.currentTarget.value.trim().toUpperCase() })}
          />
          <Select
            label={t.admin.device}
            data={[{ value: '', label: t.admin.any }, ...DEVICES.map((value) => ({ value, label: t.devices[value] }))]}
            value={filter.deviceType ?? ''}
            onChange={(value) => set({ deviceType: value ?? '' })}
            allowDeselect={false}
          />
          <Select
            label={t.admin.status}
            data={(['active', 'ended', 'all'] as const).map((value) => ({ value, label: t.admin.statuses[value] }))}
            value={filter.status ?? 'all'}
            onChange={(value) => set({ status: value ?? 'all' })}
            allowDeselect={false}
          />
          <Select
            label={t.admin.inactive}
            data={Object.entries(t.admin.inactiveFor).map(([value, label]) => ({ value, label })).sort((a, b) => Number(a.value) - Number(b.value))}
            value={minutes}
            onChange={(value) => setMinutes(value ?? '')}
            allowDeselect={false}
          />
        </SimpleGrid>
        <Group justify="flex-end" mt="md" gap="sm">
          <Button variant="subtle" color="gray" onClick={reset}>{t.admin.reset}</Button>
          <Button type="submit" leftSection={<IconSearch size={16} aria-hidden />}>{t.admin.search}</Button>
        </Group>
      </form>
    </Card>
  );
}
