// What npm `clarifai` 2.9.1 does with models of one's own, training apart: made, changed, found, deleted.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import Clarifai from 'clarifai';

const url = process.env.OCELLUS_TEST_URL;
const userId = process.env.OCELLUS_TEST_USER;
const appId = `js-${randomUUID().slice(0, 8)}`;
const pat = { Authorization: `Key ${process.env.OCELLUS_TEST_PAT}` };
const app = new Clarifai.App({ apiKey: process.env.OCELLUS_TEST_PAT, apiEndpoint: url, userId, appId });
const untrained = 21102;

before(async () => {
  const made = await fetch(`${url}/v2/users/${userId}/apps`, { method: 'POST', headers: pat, body: JSON.stringify({ apps: [{ id: appId }] }) });
  assert.equal(made.status, 200);
});

after(() => fetch(`${url}/v2/users/${userId}/apps/${appId}`, { method: 'DELETE', headers: pat }));

const conceptsOf = async (id) => {
  const { outputInfo } = await (await app.models.get(id)).getOutputInfo();
  return outputInfo.data?.concepts.map((concept) => concept.id);
};

test('concepts of a model are added, taken away and replaced', async () => {
  const model = await app.models.create('pets', ['cat', { id: 'dog' }], { conceptsMutuallyExclusive: true });
  assert.equal(model.id, 'pets');
  assert.equal(model.modelVersion.status.code, untrained);
  assert.equal(model.outputInfo.output_config.concepts_mutually_exclusive, true);
  assert.deepEqual(await conceptsOf('pets'), ['cat', 'dog']);
  await model.mergeConcepts([{ id: 'bird' }]);
  assert.deepEqual(await conceptsOf('pets'), ['cat', 'dog', 'bird']);
  await model.deleteConcepts([{ id: 'cat' }, { id: 'dog' }]);
  assert.deepEqual(await conceptsOf('pets'), ['bird']);
  await app.models.overwriteConcepts({ id: 'pets', concepts: [{ id: 'cow' }] });
  assert.deepEqual(await conceptsOf('pets'), ['cow']);
  await app.models.update({ id: 'pets', name: 'Animals' });
  assert.equal((await app.models.get('pets')).name, 'Animals');
  await app.models.deleteConcepts({ id: 'pets', concepts: [{ id: 'cow' }] });
  assert.equal(await conceptsOf('pets'), undefined);
});

test('models and their versions are listed, found and deleted', async () => {
  await app.models.create('first');
  await app.models.create('second');
  const listed = Array.from(await app.models.list({ page: 1, perPage: 100 }));
  assert.ok(['first', 'second'].every((id) => listed.some((model) => model.id === id)));
  assert.deepEqual(Array.from(await app.models.search('*econ*')).map((model) => model.id), ['second']);
  assert.ok(Array.from(await app.models.search('general*', 'concept')).length > 0);
  const model = await app.models.get('first');
  const versions = await model.getVersions();
  assert.equal(versions.model_versions.length, 1);
  assert.equal((await model.getVersion(versions.model_versions[0].id)).model_version.status.code, untrained);
  await app.models.delete('first', versions.model_versions[0].id);
  await assert.rejects(model.getVersion(versions.model_versions[0].id), (error) => error.status === 404);
  await assert.rejects(app.models.predict('first', 'https://example.com/a.jpg'), (error) => error.response.data.status.code === untrained);
  await app.models.delete(['first', 'second']);
  await assert.rejects(app.models.get('first'), (error) => error.status === 404);
  await app.models.delete();
  assert.ok(Array.from(await app.models.list({ page: 1, perPage: 100 })).every((one) => one.appId === 'main'));
});
