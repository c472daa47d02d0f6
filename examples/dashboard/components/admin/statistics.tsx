'use client';

import { BarChart, DonutChart } from '@mantine/charts';
import { Button, Group, SimpleGrid, Stack, Text, VisuallyHidden } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconChartBar, IconRefresh, IconWorld } from '@tabler/icons-react';
import type { Schemas } from '@vigilhq/client';
import { useVigil } from '@vigilhq/client/react';
import { useCallback, useEffect, useState } from 'react';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';
import { useReport } from '@/lib/problems';
import { useBusy } from '@/lib/use-busy';
import { Cancelled, useRecent } from '../reauth';
import { Empty, Facts, Failed, Section } from '../states';

const TYPES = [['desktop', 'iris.6'], ['mobile', 'teal.6'], ['tablet', 'orange.5'], ['bot', 'grape.5'], ['other', 'gray.5']] as const;
type Stats = Schemas['Statistics'];

const MAX_COUNTRIES = 12;

/** What the last clean-up has counted. */
export function Statistics() {
  const { t } = useWords();
  const { client, session } = useVigil();
  const format = useFormat();
  const recent = useRecent();
  const report = useReport();
  const [stats, setStats] = useState<Stats | null>(null);
  const [failed, setFailed] = useState(false);
  const [counting, run] = useBusy();

  const load = useCallback(async () => {
    try {
      setStats(await client.request<Stats>('GET', '/v1/admin/stats'));
      setFailed(false);
    } catch {
      setFailed(true);
    }
  }, [client]);

  const ready = session !== null;
  useEffect(() => {
    if (ready) void load();
  }, [ready, load]);

  const count = async () => {
    try {
      const swept = await recent(() => client.request<Schemas['SweepReport']>('POST', '/v1/admin/sweep'));
      notifications.show({ color: 'green', message: t.admin.stats.swept(swept.expired, swept.limited, swept.purged) });
      await load();
    } catch (cause) {
      if (!(cause instanceof Cancelled)) report(cause);
    }
  };

  if (failed && !stats) return <Failed text={t.admin.stats.error} onRetry={load} />;

  return (
    <>
      <Group justify="space-between" mb="md">
        <Text size="sm" c="dimmed" data-testid="counted-at">
          {stats && (stats.countedAt ? t.admin.stats.counted(format.relative(stats.countedAt)) : t.admin.stats.never)}
        </Text>
        <Button variant="default" size="xs" leftSection={<IconRefresh size={15} aria-hidden />} onClick={() => run(count)} loading={counting}>{t.admin.stats.sweep}</Button>
      </Group>
      <Section label={t.admin.tabs.statistics}>
        <Facts
          large
          facts={[
            { name: t.admin.stats.sessions, value: stats && format.number(stats.activeSessions) },
            { name: t.admin.stats.users, value: stats && format.number(stats.users) },
            { name: t.admin.stats.sockets, value: stats && format.number(stats.sockets), hint: t.admin.stats.socketsHint },
          ]}
        />
      </Section>
      {stats && (
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
          <Section title={t.admin.stats.byDevice}><ByDevice stats={stats} /></Section>
          <Section title={t.admin.stats.byCountry}><ByCountry stats={stats} /></Section>
        </SimpleGrid>
      )}
    </>
  );
}

function ByDevice({ stats }: { stats: Stats }) {
  const { t } = useWords();
  const format = useFormat();
  const data = TYPES.map(([type, color]) => ({ name: t.devices[type], value: stats.byDeviceType[type] ?? 0, color })).filter(({ value }) => value > 0);
  if (data.length === 0) return <Empty icon={IconChartBar} title={t.admin.stats.empty} />;
  return (
    <Group className="row" justify="center" gap={40} py="xl">
      <DonutChart data={data} size={170} thickness={24} paddingAngle={data.length > 1 ? 3 : 0} strokeWidth={0} withTooltip tooltipDataSource="segment" pieProps={{ rootTabIndex: -1 }} pieChartProps={{ accessibilityLayer: false }} aria-hidden />
      <Stack component="ul" gap={10} className="list" miw={150}>
        {data.map(({ name, value, color }) => (
          <Group key={name} component="li" justify="space-between" wrap="nowrap" gap="xl">
            <Group gap={8} wrap="nowrap">
              <span style={{ width: 10, height: 10, borderRadius: 3, background: `var(--mantine-color-${color.replace('.', '-')})` }} aria-hidden />
              <Text size="sm">{name}</Text>
            </Group>
            <Text size="sm" fw={600} className="countdown">{format.number(value)}</Text>
          </Group>
        ))}
      </Stack>
    </Group>
  );
}

function ByCountry({ stats }: { stats: Stats }) {
  const { t } = useWords();
  const format = useFormat();
  const data = Object.entries(stats.byCountry)
    .sort(([, a], [, b]) => b - a)
    .slice(0, MAX_COUNTRIES)
    .map(([code, sessions]) => ({ country: format.country(code), sessions }));
  if (data.length === 0) return <Empty icon={IconWorld} title={t.admin.stats.empty} text={t.admin.stats.noCountry} />;
  return (
    <div className="row">
      <BarChart
        h={Math.max(170, 34 * data.length + 30)}
        data={data}
        dataKey="country"
        orientation="vertical"
        yAxisProps={{ width: 110 }}
        gridAxis="none"
        tickLine="none"
        xAxisProps={{ allowDecimals: false }}
        barProps={{ radius: 4, maxBarSize: 20 }}
        barChartProps={{ accessibilityLayer: false }}
        series={[{ name: 'sessions', label: t.admin.stats.count, color: 'iris.6' }]}
        aria-hidden
      />
      <VisuallyHidden component="ul">
        {data.map(({ country, sessions }) => <li key={country}>{`${country}: ${format.number(sessions)}`}</li>)}
      </VisuallyHidden>
    </div>
  );
}
