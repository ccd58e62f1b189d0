// A PostgreSQL server of one test file: started by tests/with_postgres, gone with it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'with_postgres');

export async function startPostgres() {
  // The command beside the server tells where it is, then waits for its input to end.
  const child = spawn(script, ['sh', '-c', 'echo "$GPROXY_TEST_POSTGRES"; echo "$GPROXY_TEST_POSTGRES_CONTROL"; cat'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let out = '', err = '';
  child.stderr.on('data', (d) => { err += d; });
  const ended = new Promise((done) => child.on('exit', done));
  const [url, control] = await new Promise((done, fail) => {
    child.stdout.on('data', (d) => {
      out += d;
      const lines = out.split('\n');
      if (lines.length > 2) done(lines);
    });
    ended.then((code) => fail(new Error(`no PostgreSQL server: ${code} ${err}`)));
  });
  let count = 0;
  return {
    // A new database, as a DSN.
    newDatabase() {
      const name = `gproxy_e2e_${++count}`;
      const made = spawnSync('psql', ['-X', '-q', '-d', url, '-c', `CREATE DATABASE ${name}`]);
      assert.equal(made.status, 0, String(made.stderr));
      return `postgresql:///${name}${url.slice(url.indexOf('?'))}`;
    },
    // `kill` as a crash ends it, `start`; `freeze` and `thaw`.
    control(what) {
      const done = spawnSync(control, [what]);
      assert.equal(done.status, 0, String(done.stderr));
    },
    stop() {
      child.stdin.end();
      return ended;
    },
  };
}
