// Everything that npm `clarifai` 2.9.1 can do with data, in an app of its own: inputs, concepts, every search, feedback, lists.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import Clarifai from 'clarifai';

const url = process.env.OCELLUS_TEST_URL;
const photosUrl = process.env.OCELLUS_TEST_PHOTOS_URL;
const userId = process.env.OCELLUS_TEST_USER;
const expectations = JSON.parse(process.env.OCELLUS_TEST_EXPECTATIONS);
const base64 = (name) => readFileSync(join(process.env.OCELLUS_TEST_PHOTOS, name)).toString('base64');
const names = expectations.recognisable.map(([name]) => name).slice(0, 8);
const appId = `js-${randomUUID().slice(0, 8)}`;
const pat = { Authorization: `Key ${process.env.OCELLUS_TEST_PAT}` };

// With `userId` and `appId` the client writes both into every path, and so a personal access token is enough.
const app = new Clarifai.App({ apiKey: process.env.OCELLUS_TEST_PAT, apiEndpoint: url, userId, appId });
const ids = (answer) => answer.hits.map((hit) => hit.input.id);
const odd = names.filter((_, n) => n % 2);

async function processed(n) {
  for (let tries = 0; tries < 1200; tries += 1) {
    const { counts } = await app.inputs.getStatus();
    if (counts.processed >= n) return counts;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the inputs were not processed within a minute');
}

before(async () => {
  const made = await fetch(`${url}/v2/users/${userId}/apps`, { method: 'POST', headers: pat, body: JSON.stringify({ apps: [{ id: appId }] }) });
  assert.equal(made.status, 200);
  await app.inputs.create(names.map((name, n) => ({
    id: name,
    base64: base64(name),
    concepts: [{ id: n % 2 ? 'odd' : 'even' }, { id: n % 2 ? 'even' : 'odd', value: false }],
    metadata: { n, deep: { list: [n, 'x'] } },
    geo: { longitude: n * 10, latitude: 40 },
  })));
  assert.equal((await processed(names.length)).errors ?? 0, 0);
});

after(() => fetch(`${url}/v2/users/${userId}/apps/${appId}`, { method: 'DELETE', headers: pat }));

test('an input is what was said of it', async () => {
  const input = await app.inputs.get(names[3]);
  assert.deepEqual(input.metadata, { n: 3, deep: { list: [3, 'x'] } });
  assert.deepEqual(input.geo, { geoPoint: { longitude: 30, latitude: 40 } });
  assert.deepEqual(input.rawData.data.concepts.map((c) => [c.id, c.value ?? 1]), [['odd', 1], ['even', 0]]);
  assert.match(input.imageUrl, /^http/);
  assert.ok(new Date(input.createdAt).getFullYear() > 2000);
});

test('inputs are listed page by page', async () => {
  const pages = await Promise.all([1, 2, 3].map((page) => app.inputs.list({ page, perPage: 5 })));
  assert.deepEqual(pages.map((page) => page.length), [5, 3, 0]);
  assert.deepEqual(pages.flatMap((page) => page.toObject?.() ?? Array.from(page)).map((i) => i.id).sort(), [...names].sort());
});

test('an address, a crop and a video are taken, a bad one is refused', async () => {
  const { 0: cropped } = await app.inputs.create({ url: `${photosUrl}/${names[0]}`, id: 'cropped', crop: [0.1, 0.2, 0.9, 0.8], allowDuplicateUrl: true });
  assert.deepEqual(cropped.rawData.data.image.crop, [0.1, 0.2, 0.9, 0.8]);
  await assert.rejects(app.inputs.create({ url: `${photosUrl}/${names[0]}`, id: 'cropped' }), ({ response }) => {
    assert.equal(response.status, 400);
    return response.data.inputs[0].status.code === 30100;
  });
  await app.inputs.delete('cropped');
  await assert.rejects(app.inputs.get('cropped'), ({ response }) => response.status === 404 && response.data.status.code === 11101);
});

test('concepts are merged, overwritten and taken away', async () => {
  await app.inputs.create({ id: 'changing', base64: base64(names[0]) });
  const concepts = async () => (await app.inputs.get('changing')).rawData.data.concepts?.map((c) => `${c.id}=${c.value ?? 1}`) ?? [];
  await app.inputs.mergeConcepts([{ id: 'changing', concepts: [{ id: 'a', value: true }, { id: 'b', value: false }] }]);
  assert.deepEqual(await concepts(), ['a=1', 'b=0']);
  const list = [{ id: 'changing', concepts: [{ id: 'c', value: true }], metadata: { m: 1 } }];
  await app.inputs.overwriteConcepts(list);
  assert.deepEqual(await concepts(), ['c=1']);
  await app.inputs.deleteConcepts([{ id: 'changing', concepts: [{ id: 'c' }] }]);
  assert.deepEqual(await concepts(), []);
  assert.deepEqual((await app.inputs.get('changing')).metadata, { m: 1 });
  await app.inputs.delete(['changing']);
});

test('concepts are made, renamed, listed and searched', async () => {
  const made = await app.concepts.create(['js-plain', { id: 'js-named', name: 'Named' }]);
  assert.deepEqual(Array.from(made).map((c) => [c.id, c.name]), [['js-plain', 'js-plain'], ['js-named', 'Named']]);
  await app.concepts.update({ id: 'js-named', name: 'Renamed' });
  assert.equal((await app.concepts.get('js-named')).name, 'Renamed');
  const listed = Array.from(await app.concepts.list({ page: 1, perPage: 100 })).map((c) => c.id);
  assert.deepEqual(['even', 'js-named', 'js-plain', 'odd'].filter((id) => !listed.includes(id)), []);
  assert.ok(Array.from(await app.concepts.search('Rena*')).some((c) => c.id === 'js-named'));
  assert.ok(Array.from(await app.concepts.search('dog*')).some((c) => c.name === 'dog'));
  await assert.rejects(app.concepts.create('js-plain'), ({ response }) => response.data.status.code === 40003);
  await assert.rejects(app.concepts.get('no such concept'), ({ response }) => response.status === 404);
});

test('searches by what users said', async () => {
  assert.deepEqual(ids(await app.inputs.search({ concept: { id: 'odd', type: 'input' } })).sort(), [...odd].sort());
  assert.deepEqual(ids(await app.inputs.search({ concept: { name: 'even', value: false, type: 'input' } })).sort(), [...odd].sort());
  const both = [{ concept: { id: 'odd', type: 'input' } }, { input: { metadata: { n: 3 } } }];
  assert.deepEqual(ids(await app.inputs.search(both)), [names[3]]);
  const page = await app.inputs.search({ concept: { id: 'odd', type: 'input' } }, { page: 2, perPage: 3 });
  assert.equal(page.hits.length, 1);
});

test('searches by what the model saw', async () => {
  const [name, words] = expectations.recognisable[0];
  const found = await Promise.all(words.map((word) => app.inputs.search({ concept: { name: word } })));
  assert.ok(found.some((answer) => ids(answer).slice(0, 5).includes(name)));
  const answer = await app.models.predict(Clarifai.GENERAL_MODEL, { base64: base64(name) });
  const best = answer.outputs[0].data.concepts[0];
  assert.ok(!ids(await app.inputs.search({ concept: { name: best.name, value: false } })).includes(name));
});

test('searches by likeness, address and metadata', async () => {
  const alike = await app.inputs.search({ input: { base64: base64(names[0]) } });
  assert.equal(alike.hits[0].input.id, names[0]);
  assert.ok(Math.abs(alike.hits[0].score - 1) < 1e-3);
  const cropped = await app.inputs.search({ input: { url: `${photosUrl}/${names[0]}`, crop: [0, 0, 1, 1] } });
  assert.equal(cropped.hits[0].input.id, names[0]);
  const byId = await app.inputs.search({ input: { id: names[2] } });
  assert.equal(byId.hits[0].input.id, names[2]);
  await app.inputs.create({ id: 'by-url', url: `${photosUrl}/${names[4]}` });
  await processed(names.length + 1);
  const byUrl = await app.inputs.search({ input: { url: `${photosUrl}/${names[4]}`, type: 'input' } });
  assert.deepEqual(ids(byUrl), ['by-url']);
  await app.inputs.delete('by-url');
  assert.deepEqual(ids(await app.inputs.search({ input: { metadata: { deep: { list: [5] } } } })), [names[5]]);
});

test('feedback on a search and on predictions is taken', async () => {
  const search = await app.inputs.search({ input: { id: names[0] } });
  assert.equal((await app.inputs.searchFeedback(names[0], search.id, 'reader', 'session')).status.code, 10000);
  const told = await app.models.feedback(Clarifai.GENERAL_MODEL, `${photosUrl}/${names[0]}`, {
    id: names[0],
    data: { concepts: [{ id: 'tree', value: true }, { id: 'sky', value: false }] },
    info: { endUserId: 'reader', sessionId: 'session', outputId: 'output' },
  });
  assert.equal(told.status.code, 10000);
});

test('models are listed, searched and described', async () => {
  const pages = await app.models.list({ page: 1, perPage: 2 });
  assert.equal(pages.length, 2);
  const found = Array.from(await app.models.search('general*', 'concept'));
  assert.ok(found.some((model) => model.id === Clarifai.GENERAL_MODEL));
  const versions = await app.models.getVersions(Clarifai.GENERAL_MODEL);
  const version = versions.model_versions[0].id;
  assert.equal((await app.models.getVersion(Clarifai.GENERAL_MODEL, version)).model_version.id, version);
  await assert.rejects(app.models.get('0'.repeat(32)), ({ response }) => response.status === 404);
});

test('another account stays closed', async () => {
  const other = new Clarifai.App({ apiKey: process.env.OCELLUS_TEST_PAT, apiEndpoint: url, userId: 'somebody-else', appId });
  await assert.rejects(other.inputs.list(), ({ response }) => [401, 403, 404].includes(response.status));
});

// Last: it empties the app.
test('everything is deleted at once', async () => {
  await app.inputs.delete(names.slice(0, 2));
  assert.equal((await app.inputs.list({ page: 1, perPage: 100 })).length, names.length - 2);
  await app.inputs.delete();
  for (let tries = 0; (await app.inputs.list()).length; tries += 1) {
    assert.ok(tries < 1200, 'inputs are left');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
