// node-postgres: argv[2] is a JSON object for new Client(). Prints "ok" when everything held.
const assert = require('node:assert');
const { Client, Pool } = require('pg');

async function main(config) {
  const client = new Client(config);
  await client.connect();
  await client.query('DROP TABLE IF EXISTS node_t');
  await client.query('CREATE TABLE node_t (id int PRIMARY KEY, what text)');

  assert.deepStrictEqual((await client.query('SELECT $1::int + $2::int AS sum', [40, 2])).rows, [{ sum: 42 }]);
  assert.deepStrictEqual((await client.query('SELECT $1::text AS t', [null])).rows, [{ t: null }]);

  // A named statement is parsed once and executed many times.
  for (let i = 0; i < 50; i++) {
    await client.query({ name: 'insert-node', text: 'INSERT INTO node_t VALUES ($1, $2)', values: [i, `row ${i}`] });
  }
  const text = 'SELECT what FROM node_t WHERE id = $1';
  for (let i = 0; i < 50; i++) {
    const { rows } = await client.query({ name: 'select-node', text, values: [i] });
    assert.strictEqual(rows[0].what, `row ${i}`);
  }

  await client.query('BEGIN');
  await client.query('UPDATE node_t SET what = $1', ['lost']);
  await client.query('ROLLBACK');
  await client.query('BEGIN');
  await client.query('UPDATE node_t SET what = $1 WHERE id = 1', ['kept']);
  await client.query('COMMIT');
  const changed = await client.query("SELECT id FROM node_t WHERE what IN ('lost', 'kept')");
  assert.deepStrictEqual(changed.rows, [{ id: 1 }]);

  await assert.rejects(client.query('INSERT INTO node_t VALUES ($1, $2)', [1, 'twice']), { code: '23505' });
  await assert.rejects(client.query({ name: 'broken', text: 'SELECT nonsense FROM node_t' }), { code: '42703' });
  await assert.rejects(client.query('syntax error'), { code: '42601' });
  assert.strictEqual((await client.query('SELECT 1 AS one')).rows[0].one, 1);

  const heard = new Promise((resolve) => client.once('notification', resolve));
  await client.query('LISTEN node_channel');
  await client.query("SELECT pg_notify('node_channel', $1)", ['hello']);
  assert.strictEqual((await heard).payload, 'hello');
  await client.query('UNLISTEN node_channel');

  const many = await client.query("SELECT 1 AS a; SELECT 2 AS b; SET application_name = 'node'");
  assert.strictEqual(many.length, 3);
  const big = await client.query("SELECT repeat('x', 1000000) AS big");
  assert.strictEqual(big.rows[0].big.length, 1000000);
  await client.query('DROP TABLE node_t');
  await client.end();

  const pool = new Pool({ ...config, max: 20 });
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) =>
    pool.query({ name: 'pooled', text: 'SELECT $1::int AS n', values: [i] })));
  answers.forEach(({ rows }, i) => assert.strictEqual(rows[0].n, i));
  await pool.end();
  console.log('ok');
}

main(JSON.parse(process.argv[2])).catch((error) => { console.error(error); process.exit(1); });
