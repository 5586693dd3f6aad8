// Writes the Kubernetes resources of YAML files to a TypeScript file. Its compilation fails at an unknown field, a missing
// field or a value of a wrong type. The middlewares of a Traefik file are taken for Kubernetes resources, which have the
// same fields.
//
// usage: node resources.mjs FILE... >resources.ts
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";

const packages = {
  "gateway.networking.k8s.io": "@kubernetes-models/gateway-api",
  "gateway.envoyproxy.io": "@kubernetes-models/envoy-gateway",
  "traefik.io": "@kubernetes-models/traefik",
};

function resources(document) {
  return document.http
    ? Object.entries(document.http.middlewares).map(([name, spec]) => (
      { apiVersion: "traefik.io/v1alpha1", kind: "Middleware", metadata: { name }, spec }))
    : [document];
}

let count = 0;
for (const file of process.argv.slice(2)) {
  for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
    for (const resource of resources(document.toJS())) {
      const { apiVersion, kind, metadata } = resource;
      const library = packages[apiVersion.split("/")[0]] ?? "kubernetes-models";
      console.log(`// ${file}: ${kind} ${metadata.name}
import type { I${kind} as I${++count} } from "${library}/${apiVersion}/${kind}";
export const resource${count}: I${count} = ${JSON.stringify(resource, null, 1)};`);
    }
  }
}
