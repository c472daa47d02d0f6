'use client';

import { Alert, Button, Card, Group, SimpleGrid, Skeleton, Stack, Text, ThemeIcon, Title } from '@mantine/core';
import { IconAlertCircle, type Icon } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { useWords } from '@/lib/i18n';
import { useBusy } from '@/lib/use-busy';

/** The heading of a page, with what can be done on it. */
export function PageTitle({ title, subtitle, actions }: { title: string; subtitle: string; actions?: ReactNode }) {
  return (
    <Group justify="space-between" align="flex-end" mb="xl" gap="md">
      <DocumentTitle title={title} />
      <div>
        <Title order={1} fz={{ base: 24, sm: 28 }} lts="-0.02em">{title}</Title>
        <Text c="dimmed" mt={4}>{subtitle}</Text>
      </div>
      {actions}
    </Group>
  );
}

/** What the browser's tab says. */
export function DocumentTitle({ title }: { title: string }) {
  const { t } = useWords();
  return <title>{`${title} · ${t.brand}`}</title>;
}

/** There is nothing, and that is fine. */
export function Empty({ icon: Icon, title, text }: { icon: Icon; title: string; text?: string }) {
  return (
    <Stack align="center" gap={4} py={44} px="md" ta="center">
      <ThemeIcon size={52} radius="xl" variant="light" color="gray" mb="xs">
        <Icon size={26} stroke={1.5} aria-hidden />
      </ThemeIcon>
      <Text fw={600}>{title}</Text>
      {text && <Text size="sm" c="dimmed" maw={380}>{text}</Text>}
    </Stack>
  );
}

/** Something could not be loaded. */
export function Failed({ text, onRetry }: { text: string; onRetry: () => Promise<void> }) {
  const { t } = useWords();
  const [busy, run] = useBusy();
  return (
    <Alert color="red" icon={<IconAlertCircle aria-hidden />} role="alert" m="md">
      <Group justify="space-between">
        <Text size="sm">{text}</Text>
        <Button size="xs" variant="default" onClick={() => run(onRetry)} loading={busy}>{t.retry}</Button>
      </Group>
    </Alert>
  );
}

/** Rows that are on their way. */
export function Loading({ rows = 3 }: { rows?: number }) {
  const { t } = useWords();
  return (
    <div className="rows" role="status" aria-label={t.loading}>
      {Array.from({ length: rows }, (_, row) => (
        <Group key={row} className="row" wrap="nowrap">
          <Skeleton circle height={44} style={{ flexShrink: 0 }} />
          <Stack gap={8} flex={1}>
            <Skeleton height={13} w="42%" radius="xl" />
            <Skeleton height={10} w="66%" radius="xl" />
          </Stack>
        </Group>
      ))}
    </div>
  );
}

/** A part of a page, with its heading. */
export function Section({ title, text, actions, children, label }: { title?: string; text?: string; actions?: ReactNode; children: ReactNode; label?: string }) {
  return (
    <Card p={0} component="section" aria-label={label ?? title} mb="lg">
      {title && (
        <Group className="row" justify="space-between" gap="sm" style={{ borderBottom: '1px solid var(--vigil-border)' }}>
          <div>
            <Title order={2} fz="md">{title}</Title>
            {text && <Text size="sm" c="dimmed" mt={2}>{text}</Text>}
          </div>
          {actions}
        </Group>
      )}
      {children}
    </Card>
  );
}

/** A few figures side by side, on a phone one below the other. Those that are not known yet are undefined. */
export function Facts({ facts, large = false, testId }: { facts: { name: string; value: ReactNode; hint?: string }[]; large?: boolean; testId?: string }) {
  return (
    <SimpleGrid component="dl" cols={{ base: 1, xs: facts.length }} spacing={{ base: 'xs', xs: 'lg' }} className="row facts" data-testid={testId}>
      {facts.map(({ name, value, hint }) => (
        <div key={name} className="fact">
          <Text component="dt" size="sm" c="dimmed">{name}{hint && <Text span size="xs" display="block">{hint}</Text>}</Text>
          <Text component="dd" className={large ? 'countdown figure' : 'countdown'} size="sm">{value ?? <Skeleton height={20} width={90} />}</Text>
        </div>
      ))}
    </SimpleGrid>
  );
}
