import { UserSessions } from '@/components/admin/user-sessions';

export default async function UserPage({ params }: { params: Promise<{ uid: string }> }) {
  return <UserSessions uid={decodeURIComponent((await params).uid)} />;
}
