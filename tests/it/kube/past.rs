//! Going past what Argo waits for: all of it with a reason, or the one analysis that could not tell.

use serde_json::json;

use super::argo::{healthy, room};
use super::cluster::Cluster;
use super::deployments::{START, tidy};
use crate::server::Server;

#[test]
#[ignore = "needs a Kubernetes: tests/run kube"]
fn who_promotes_all_waits_for_no_step_of_argos() {
    let ns = Cluster::given().namespace("argo-all");
    let hour = json!({"pause": {"duration": "1h"}});
    let steps = json!([{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}, {"setWeight": 80}, hour]);
    ns.rollout("web", "shop/web:1", 10, &steps);
    healthy(&ns, "shop/web:1");
    let foreign = json!({"metadata": {"annotations": {"team/owner": "shop"}}});
    ns.patch("rollout", "web", &foreign);
    let room = room(&ns, "");
    let _keeper = room.serve();
    let held = "20%, after: [{ manual: {} }]";
    let half = "50%, after: [{ bake: 1h }]";
    let id = room.submit(&room.plan("web", "2", 2, &[held, half, "full"], START));
    room.stands(&ns, &id, 20);
    room.promote_all(&id, "the fix must be out");
    room.ends(&ns, &id, "succeeded");
    healthy(&ns, "shop/web:2");
    tidy(&ns, "rollout", "web");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "needs a Kubernetes: tests/run kube"]
async fn an_analysis_that_cannot_tell_is_told_and_a_retry_goes_past_it_once() {
    let ns = Cluster::given().namespace("argo-doubt");
    // neither a success (below 1) nor a failure (above 10)
    let server = Server::says(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{\"value\":5}",
    )
    .await;
    let template = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "errors"}, "spec": {"metrics": [{
        "name": "errors", "provider": {"web": {"url": server.url, "jsonPath": "{$.value}", "timeoutSeconds": 5}},
        "successCondition": "result < 1", "failureCondition": "result > 10",
    }]}});
    ns.create("analysistemplate", &template);
    let analysis = json!({"analysis": {"templates": [{"templateName": "errors"}]}});
    let steps = json!([{"setWeight": 25}, analysis, {"pause": {}}, analysis, {"setWeight": 75}, {"pause": {}}]);
    ns.rollout("web", "shop/web:1", 4, &steps);
    healthy(&ns, "shop/web:1");
    let room = room(&ns, "");
    let _keeper = room.serve();
    let batches = ["25%, after: [{ manual: {} }]", "75%", "full"];
    let id = room.submit(&room.plan("web", "2", 2, &batches, START));
    let why = room.asks(&ns, &id);
    assert!(
        why.contains("Inconclusive") && why.contains("a retry goes past it"),
        "{why}"
    );
    room.done(&["release", "retry", &id, "--as", "ada"]);
    // past that one, to the pause of its batch, and not further
    room.stands(&ns, &id, 25);
    let web = ns.get("rollout", "web");
    assert_eq!(web["status"]["currentStepIndex"], 2, "{web}");
    room.promote(&id);
    // the next one that cannot tell is asked about anew
    room.asks(&ns, &id);
    assert_eq!(ns.get("rollout", "web")["status"]["currentStepIndex"], 3);
    room.promote_all(&id, "we looked ourselves");
    room.done(&["release", "retry", &id, "--as", "ada"]);
    room.ends(&ns, &id, "succeeded");
    healthy(&ns, "shop/web:2");
}
