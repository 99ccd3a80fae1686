// What npm `clarifai` 2.9.1 does with workflows: makes one of a model, lists, runs and deletes it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import Clarifai from 'clarifai';

const url = process.env.OCELLUS_TEST_URL;
const photos = process.env.OCELLUS_TEST_PHOTOS_URL;
const userId = process.env.OCELLUS_TEST_USER;
const appId = `js-${randomUUID().slice(0, 8)}`;
const pat = { Authorization: `Key ${process.env.OCELLUS_TEST_PAT}` };
const app = new Clarifai.App({ apiKey: process.env.OCELLUS_TEST_PAT, apiEndpoint: url, userId, appId });

before(async () => {
  const made = await fetch(`${url}/v2/users/${userId}/apps`, { method: 'POST', headers: pat, body: JSON.stringify({ apps: [{ id: appId }] }) });
  assert.equal(made.status, 200);
});

after(() => fetch(`${url}/v2/users/${userId}/apps/${appId}`, { method: 'DELETE', headers: pat }));

test('a workflow of a model is made, listed, run and deleted', async () => {
  const modelId = Clarifai.GENERAL_MODEL;
  const modelVersionId = 'aa9ca48295b37401f8af92ad1af0d91d';
  assert.equal(await app.workflows.create('mine', { modelId, modelVersionId }), 'mine');
  const listed = await app.workflows.list();
  assert.deepEqual([...listed.rawData].map((workflow) => workflow.id), ['mine']);
  const answer = await app.workflow.predict('mine', `${photos}/dog.png`, { maxConcepts: 4 });
  assert.equal(answer.status.code, 10000);
  assert.equal(answer.results[0].outputs.length, 1);
  assert.equal(answer.results[0].outputs[0].data.concepts.length, 4);
  assert.equal((await app.workflows.delete('mine')).status.code, 10000);
  await assert.rejects(app.workflow.predict('mine', `${photos}/dog.png`));
});
