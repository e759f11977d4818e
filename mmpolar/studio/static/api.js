// Requests to the server; an error has its status and its one line of explanation.

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(`api/${path}`, options);
  } catch {
    throw new ApiError(0, 'mmpolar studio does not answer: is it still running?');
  }
  if (response.ok) return response;
  const text = await response.text();
  let message = text;
  try { message = JSON.parse(text).error; } catch { /* a plain text */ }
  throw new ApiError(response.status, message);
}

export const get = async (path) => (await request(path)).json();
export const getBlob = async (path) => (await request(path)).blob();
export const post = async (path, body = {}) =>
  (await request(path, { method: 'POST', body: JSON.stringify(body) })).json();
export const upload = (file) =>
  request(`upload?name=${encodeURIComponent(file.name)}`, { method: 'POST', body: file });
