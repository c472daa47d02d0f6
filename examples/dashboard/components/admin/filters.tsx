'use client';

import { Button, Card, Group, Select, SimpleGrid, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useState, type FormEvent } from 'react';
import { useWords } from '@/lib/i18n';

/** What can be searched for, as it is entered; `inactive` in minutes. Empty is any. */
export const FIELDS = ['userId', 'ip', 'country', 'deviceType', 'status', 'inactive'] as const;
export type Fields = Record<(typeof FIELDS)[number], string>;

/** What is searched for when nothing has been entered. */
export const NOTHING_ENTERED: Fields = { userId: '', ip: '', country: '', deviceType: '', status: 'active', inactive: '' };

const DEVICES = ['desktop', 'mobile', 'tablet', 'bot', 'other'] as const;

/** The form of the search. The service may not have accepted one of its fields. */
export function Filters({ initial, refused, onSearch }: { initial: Fields; refused: string | undefined; onSearch: (fields: Fields) => void }) {
  const { t } = useWords();
  const [fields, setFields] = useState(initial);
  const set = (patch: Partial<Fields>) => setFields((fields) => ({ ...fields, ...patch }));
  const wrongCountry = fields.country !== '' && !/^[A-Z]{2}$/.test(fields.country);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!wrongCountry) onSearch(fields);
  };

  const reset = () => {
    setFields(NOTHING_ENTERED);
    onSearch(NOTHING_ENTERED);
  };

  const text = (name: 'userId' | 'ip') => ({
    name,
    autoComplete: 'off',
    value: fields[name],
    error: refused === name && t.admin.notAccepted,
    onChange: (event: { currentTarget: { value: string } }) => set({ [name]: event.currentTarget.value.trim() }),
  });
  return (
    <Card component="section" mb="lg" aria-label={t.admin.filters}>
      <form onSubmit={submit} role="search" aria-label={t.admin.filters}>
        <SimpleGrid cols={{ base: 2, md: 3 }} spacing="md" className="filters" style={{ alignItems: 'start' }}>
          <TextInput label={t.admin.user} {...text('userId')} />
          <TextInput label={t.admin.ip} {...text('ip')} />
          <TextInput
            label={t.admin.country}
            name="country"
            autoComplete="off"
            placeholder={t.admin.countryExample}
            maxLength={2}
            value={fields.country}
            error={(wrongCountry || refused === 'country') && t.admin.countryInvalid}
            onChange={(event) => set({ country: event.currentTarget.value.trim().toUpperCase() })}
          />
          <Select
            label={t.admin.device}
            data={[{ value: '', label: t.admin.any }, ...DEVICES.map((value) => ({ value, label: t.devices[value] }))]}
            value={fields.deviceType}
            onChange={(value) => set({ deviceType: value ?? '' })}
            allowDeselect={false}
          />
          <Select
            label={t.admin.status}
            data={(['active', 'ended', 'all'] as const).map((value) => ({ value, label: t.admin.statuses[value] }))}
            value={fields.status}
            onChange={(value) => set({ status: value ?? 'all' })}
            allowDeselect={false}
          />
          <Select
            label={t.admin.inactive}
            data={Object.entries(t.admin.inactiveFor).map(([value, label]) => ({ value, label })).sort((a, b) => Number(a.value) - Number(b.value))}
            value={fields.inactive}
            onChange={(value) => set({ inactive: value ?? '' })}
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
