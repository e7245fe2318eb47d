/**
 * Finds out whether a server refuses the origin of this page.
 *
 * A browser does not tell a page why a socket did not open: a server that is down looks the same as one that
 * does not allow this site. So we ask for a file that every page may read. If the server sends it, the server is
 * up, and it is our origin that it refuses.
 */

/** True if the server of the WebSocket address `socket` is up but does not allow `page`. */
export async function refusesOrigin(socket: string, page: string = location.href): Promise<boolean> {
  const server = new URL(socket.replace(/^ws/, 'http').replace(/\/+$/, ''));
  if (server.origin === new URL(page).origin) return false; // it served this page
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
