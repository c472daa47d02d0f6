import { notFound } from 'next/navigation';
import { UserSessions } from '@/components/admin/user-sessions';

export default async function UserPage({ params }: { params: Promise<{ uid: string }> }) {
  const uid = decoded((await params).uid);
  if (uid === null) notFound();
  return <UserSessions uid={uid} />;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // a percent sign that encodes nothing
  }
}
