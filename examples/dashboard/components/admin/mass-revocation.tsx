'use client';

import { Alert, Badge, Button, Group, Modal, Progress as ProgressBar, Stack, Text, TextInput } from '@mantine/core';
import { IconAlertTriangle, IconCircleCheck } from '@tabler/icons-react';
import type { Schemas } from '@vigilhq/client';
import { useVigil } from '@vigilhq/client/react';
import { useEffect, useState, type FormEvent } from 'react';
import type { Filter } from '@/lib/api';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';
import { useProblem } from '@/lib/problems';
import { Cancelled, useRecent } from '../reauth';

const POLL = 1000; // milliseconds

type Preview = Schemas['RevocationPreview'];
type Progress = Schemas['RevocationProgress'];

interface Props {
  opened: boolean;
  filter: Filter;
  onClose: () => void;
  onDone: () => void;
}

/** Ends everything that a search matches: first what that would be, then how far it is. */
export function MassRevocation({ opened, onClose, ...rest }: Props) {
  const { t } = useWords();
  return (
    <Modal opened={opened} onClose={onClose} title={t.admin.massTitle} size="lg">
      {opened && <Steps onClose={onClose} {...rest} />}
    </Modal>
  );
}

function Steps({ filter, onClose, onDone }: Omit<Props, 'opened'>) {
  const { t } = useWords();
  const { client } = useVigil();
  const recent = useRecent();
  const problem = useProblem();
  const [reason, setReason] = useState('');
  const [preview, setPreview] = useState<Preview | null>(null);
  const [job, setJob] = useState<Progress | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const { status: _, ...chosen } = filter;
  const all = Object.keys(chosen).length === 0;

  const ask = async <T,>(dryRun: boolean, use: (answer: T) => void) => {
    setBusy(true);
    setError(null);
    try {
      const body = { ...(all ? { all: true } : { filter: chosen }), dryRun, ...(reason ? { reason } : {}) };
      use(await recent(() => client.request<T>('POST', '/v1/admin/revocations', body)));
    } catch (cause) {
      if (!(cause instanceof Cancelled)) setError(problem(cause));
    } finally {
      setBusy(false);
    }
  };

  if (job) return <Running start={job} onClose={onClose} onDone={onDone} />;

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!preview) void ask<Preview>(true, setPreview);
    else void ask<Schemas['RevocationStarted']>(false, ({ id, matched }) => setJob({ id, matched, state: 'running', ended: 0 }));
  };

  return (
    <form onSubmit={submit}>
      <Stack>
        <Alert color={all ? 'red' : 'yellow'} icon={<IconAlertTriangle aria-hidden />}>{all ? t.admin.massAll : t.admin.massFilter}</Alert>
        {!all && (
          <Group gap={6}>
            {Object.entries(chosen).map(([name, value]) => <Badge key={name} variant="light" size="lg">{`${name}: ${value}`}</Badge>)}
          </Group>
        )}
        {error && <Alert color="red" role="alert">{error}</Alert>}
        <TextInput label={t.admin.reason} description={t.admin.reasonHint} maxLength={256} value={reason} onChange={(event) => setReason(event.currentTarget.value)} data-autofocus />
        {preview && <Matches {...preview} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.cancel}</Button>
          {!preview ? (
            <Button type="submit" loading={busy}>{t.admin.preview}</Button>
          ) : preview.matched > 0 && (
            <Button type="submit" color="red" loading={busy}>{t.admin.massConfirm(preview.matched)}</Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}

function Matches({ matched, sample }: Preview) {
  const { t } = useWords();
  const format = useFormat();
  return (
    <div role="status" data-testid="preview">
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

function Running({ start, onClose, onDone }: { start: Progress; onClose: () => void; onDone: () => void }) {
  const { t } = useWords();
  const { client } = useVigil();
  const [job, setJob] = useState(start);

  useEffect(() => {
    if (job.state !== 'running') return;
    const timer = setTimeout(() => {
      // A failure is no news about the job: the same again, a second later.
      client.request<Progress>('GET', `/v1/admin/revocations/${job.id}`).then(setJob, () => setJob((job) => ({ ...job })));
    }, job === start ? 0 : POLL);
    return () => clearTimeout(timer);
  }, [client, job, start]);

  useEffect(() => {
    if (job.state !== 'running') onDone();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once, when it is over
  }, [job.state]);

  const percent = job.state === 'done' ? 100 : job.matched > 0 ? Math.min(100, (100 * job.ended) / job.matched) : 0;
  return (
    <Stack role="status" data-testid="revocation" data-state={job.state}>
      <Text fw={600}>{job.state === 'running' ? t.admin.running : job.state === 'done' ? t.admin.done : t.admin.failed}</Text>
      <ProgressBar value={percent} color={job.state === 'done' ? 'green' : job.state === 'failed' ? 'red' : 'iris'} size="lg" radius="xl" animated={job.state === 'running'} aria-label={t.admin.massTitle} />
      <Group gap={6}>
        {job.state === 'done' && <IconCircleCheck size={18} color="var(--mantine-color-green-6)" aria-hidden />}
        <Text size="sm" c="dimmed">{job.state === 'done' ? t.admin.doneText(job.ended) : t.admin.progress(job.ended, job.matched)}</Text>
      </Group>
      <Group justify="flex-end"><Button variant="default" onClick={onClose}>{t.close}</Button></Group>
    </Stack>
  );
}
