// Training through npm `clarifai` 2.9.1: labelled photographs, a model, its training as the client waits for it, its predictions.
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
const trained = 21100;
const cars = ['motorcycle_left.png', 'motorcycle_right.png', 'double_decker_bus.jpg'];
const animals = ['cat.png', 'dog.png', 'squirrel.jpg'];

before(async () => {
  const made = await fetch(`${url}/v2/users/${userId}/apps`, { method: 'POST', headers: pat, body: JSON.stringify({ apps: [{ id: appId }] }) });
  assert.equal(made.status, 200);
});

after(() => fetch(`${url}/v2/users/${userId}/apps/${appId}`, { method: 'DELETE', headers: pat }));

test('a model learns from labelled photographs and predicts', async () => {
  const label = (name, isCar) => ({ url: `${photos}/${name}`, id: name, concepts: [{ id: 'vehicle', value: isCar }, { id: 'animal', value: !isCar }] });
  await app.inputs.create([...cars.map((name) => label(name, true)), ...animals.map((name) => label(name, false))]);
  await app.models.create('things', [{ id: 'vehicle' }, { id: 'animal' }]);
  const asked = await app.models.train('things');
  assert.ok([21103, 21101, trained].includes(asked.modelVersion.status.code));
  const model = await (await app.models.get('things')).train(true);
  assert.equal(model.modelVersion.status.code, trained);
  const answer = await model.predict([{ url: `${photos}/dog.png` }, { url: `${photos}/motorcycle_left.png` }]);
  assert.deepEqual(answer.outputs.map((output) => output.data.concepts[0].id), ['animal', 'vehicle']);
  const one = await app.models.predict('things', `${photos}/cat.png`, { maxConcepts: 1 });
  assert.deepEqual(one.outputs[0].data.concepts.map((concept) => concept.id), ['animal']);
});
