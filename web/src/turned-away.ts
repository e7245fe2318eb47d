/**
 * Whether a server turns away the site that this page is of.
 *
 * A browser does not tell a page why a socket did not open: a server that is down and one that lets no page of
 * this site in look the same. So the server is asked for a file that every page may read. If it answers that,
 * it is there, and it is us whom it does not want.
 */
export async function turnsAway(socket: string, page: string = location.href): Promise<boolean> {
  const server = new URL(socket.replace(/^ws/, 'http').replace(/\/+$/, ''));
  if (server.origin === new URL(page).origin) return false; // it let us have this page
  try {
    const answer = await fetch(new URL('collab-editor.js', server), {
      cache: 'no-cache',
      credentials: 'omit',
    });
    void answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}
