import { requireSession, VigilRefusal } from '@vigilhq/client/next';
import { readConfig } from '@/lib/config';

/**
 * Who is asking, as the service sees it: what every route of an application's own back end begins with. The token comes in
 * `Authorization`, or in the cookie that the client mirrors it in, for what browsers ask by themselves.
 */
export async function GET(request: Request): Promise<Response> {
  try {
    const session = await requireSession(request, { url: process.env.VIGIL_URL ?? readConfig().vigilUrl });
    return Response.json(session, { headers: { 'Cache-Control': 'no-store' } });
  } catch (error) {
    if (error instanceof VigilRefusal) return error.response;
    throw error;
  }
}
