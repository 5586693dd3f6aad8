import express from "express";
import { createClient } from "redis";

const redis = await createClient({ url: process.env.REDIS_URL }).connect();
const app = express();

app.use("/api", async (request, response, next) => {
  const [scheme, token] = (request.get("Authorization") ?? "").split(" ");
  const username = scheme === "Bearer" && token && (await redis.get(`tokens:${token}`));
  if (!username) {
    return response.status(401).json({ error: "unauthorized" });
  }
  request.username = username;
  next();
});
app.get("/api/auth/me", (request, response) => response.json({ username: request.username }));
app.listen(Number(process.env.PORT), process.env.HOST);
