'use client';

import { Alert, Badge, Button, Group, Progress as ProgressBar, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconCircleCheck } from '@tabler/icons-react';
import { VigilError, type Schemas } from '@vigilhq/client';
import { useVigil } from '@vigilhq/client/react';
import { useEffect, useEffectEvent, useRef, useState, type FormEvent } from 'react';
import type { Filter } from '@/lib/api';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';
import { useProblem } from '@/lib/problems';
import { useBusy } from '@/lib/use-busy';
import { Dialog } from '../dialog';
import { Cancelled, useRecent } from '../reauth';

const POLL = 1000; // milliseconds
const MOST = 30_000;

type Preview = Schemas['RevocationPreview'];

/** What is under way or over, as far as it is known; `lost` is what nobody will tell this page any more. */
type Job = Omit<Schemas['RevocationProgress'], 'state'> & { state: Schemas['JobState'] | 'lost'; wait: number };

interface Props {
  opened: boolean;
  filter: Filter;
  onClose: () => void;
  onDone: () => void;
}

/** Ends everything that a search matches: first what that would be, then how far it is. That goes on while the dialog is closed. */
export function MassRevocation({ opened, filter, onClose, onDone }: Props) {
  const { t } = useWords();
  const { client } = useVigil();
  const [job, setJob] = useState<Job | null>(null);

  useEffect(() => {
    if (job?.state !== 'running') return;
    const timer = setTimeout(async () => {
      try {
        setJob({ ...(await client.request<Schemas['RevocationProgress']>('GET', `/v1/admin/revocations/${job.id}`)), wait: POLL });
      } catch (cause) {
        // Other failures are no news about the job: the same again, later each time.
        const refused = cause instanceof VigilError && (cause.status === 403 || cause.status === 404);
        setJob(refused ? { ...job, state: 'lost' } : { ...job, wait: Math.min(MOST, 2 * Math.max(POLL, job.wait)) });
      }
    }, job.wait);
    return () => clearTimeout(timer);
  }, [client, job]);

  const finish = useEffectEvent(() => {
    if (!job || job.state === 'running') return;
    onDone();
    if (opened) return; // it is told there
    notifications.show({ color: job.state === 'done' ? 'green' : 'red', title: t.admin.massTitle, message: job.state === 'done' ? t.admin.doneText(job.ended) : t.admin[job.state] });
    setJob(null);
  });
  useEffect(() => finish(), [job?.state]);

  const close = () => {
    if (job?.state !== 'running') setJob(null);
    onClose();
  };

  return (
    <Dialog stackId="revocation" opened={opened} onClose={close} title={t.admin.massTitle} size="lg">
      {job ? <Running job={job} onClose={close} /> : opened && <Steps filter={filter} onClose={close} onStart={({ id, matched }) => setJob({ id, matched, state: 'running', ended: 0, wait: 0 })} />}
    </Dialog>
  );
}

function Steps({ filter, onClose, onStart }: { filter: Filter; onClose: () => void; onStart: (started: Schemas['RevocationStarted']) => void }) {
  const { t } = useWords();
  const { client } = useVigil();
  const recent = useRecent();
  const problem = useProblem();
  const [reason, setReason] = useState('');
  const [preview, setPreview] = useState<Preview | null>(null);
  const [busy, run] = useBusy();
  const [error, setError] = useState<string | null>(null);

  const { status: _, ...chosen } = filter;
  const all = Object.keys(chosen).length === 0;

  const ask = <T,>(dryRun: boolean, use: (answer: T) => void) => {
    const body = { ...(all ? { all: true } : { filter: chosen }), dryRun, ...(reason ? { reason } : {}) };
    setError(null);
    void run(async () => use(await recent(() => client.request<T>('POST', '/v1/admin/revocations', body)))).catch((cause) => {
      if (!(cause instanceof Cancelled)) setError(problem(cause));
    });
  };

  // Enter never does more than that, however often it is pressed.
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy) ask<Preview>(true, setPreview);
  };

  return (
    <form onSubmit={submit}>
      <Stack>
        <Alert color={all ? 'red' : 'yellow'} icon={<IconAlertTriangle aria-hidden />}>{all ? t.admin.massAll : t.admin.massFilter}</Alert>
        {!all && <Chosen filter={chosen} />}
        {error && <Alert color="red" role="alert">{error}</Alert>}
        <TextInput label={t.admin.reason} description={t.admin.reasonHint} maxLength={256} value={reason} onChange={(event) => setReason(event.currentTarget.value)} data-autofocus />
        {preview && <Matches preview={preview} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.cancel}</Button>
          {!preview ? (
            <Button key="preview" type="submit" loading={busy}>{t.admin.preview}</Button>
          ) : preview.matched > 0 && (
            <Button key="revoke" color="red" loading={busy} onClick={() => ask(false, onStart)}>{t.admin.massConfirm(preview.matched)}</Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}

/** The filters, in the words of the search. */
function Chosen({ filter: { userId, ip, country, deviceType, activeBefore } }: { filter: Filter }) {
  const { t } = useWords();
  const format = useFormat();
  const facts = [
    userId && [t.admin.user, userId],
    ip && [t.admin.ip, ip],
    country && [t.admin.country, format.country(country)],
    deviceType && [t.admin.device, t.devices[deviceType as keyof typeof t.devices]],
    activeBefore && [t.admin.inactiveSince, format.dateTime(activeBefore)],
  ].filter((fact) => Array.isArray(fact));
  return (
    <Group gap={6}>
      {facts.map(([name, value]) => <Badge key={name} variant="light" size="lg" tt="none">{`${name}: ${value}`}</Badge>)}
    </Group>
  );
}

function Matches({ preview }: { preview: Preview }) {
  const { matched, sample } = preview;
  const { t } = useWords();
  const format = useFormat();
  const top = useRef<HTMLDivElement>(null);
  useEffect(() => top.current?.focus(), [preview]); // to be read before anything else is pressed
  return (
    <div ref={top} tabIndex={-1} style={{ outline: 'none' }} role="status" data-testid="preview">
      <Text fw={600}>{matched === 0 ? t.admin.nothingMatches : t.admin.matched(matched)}</Text>
      {sample.length > 0 && (
        <>
          <Text size="sm" c="dimmed" mt={4}>{t.admin.sample}</Text>
          <ul className="rows list">
            {sample.map((session) => (
              <li key={session.id} style={{ padding: '8px 0' }}>
                <Text size="sm"><b>{session.userId}</b> · {format.device(session)} · {format.place(session)}</Text>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function Running({ job, onClose }: { job: Job; onClose: () => void }) {
  const { t } = useWords();
  const percent = job.state === 'done' ? 100 : job.matched > 0 ? Math.min(100, (100 * job.ended) / job.matched) : 0;
  return (
    <Stack role="status" data-testid="revocation" data-state={job.state}>
      <Text fw={600}>{t.admin[job.state]}</Text>
      <ProgressBar value={percent} color={job.state === 'done' ? 'green' : job.state !== 'running' ? 'red' : 'iris'} size="lg" radius="xl" animated={job.state === 'running'} aria-label={t.admin.massTitle} />
      <Group gap={6}>
        {job.state === 'done' && <IconCircleCheck size={18} color="var(--mantine-color-green-6)" aria-hidden />}
        <Text size="sm" c="dimmed">{job.state === 'done' ? t.admin.doneText(job.ended) : t.admin.progress(job.ended, job.matched)}</Text>
      </Group>
      <Group justify="flex-end"><Button variant="default" onClick={onClose}>{t.close}</Button></Group>
    </Stack>
  );
}
