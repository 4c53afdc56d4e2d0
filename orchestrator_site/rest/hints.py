"""Hints in the words of an API client: the requests to send."""

from __future__ import annotations

from orchestrator_site.kernel.errors import Hint

HINTS: dict[Hint, str] = {
    Hint.NAME_PROJECT: "Open a session: POST /api/v1/sessions with the slug of a project.",
    Hint.OPEN_SESSION: "Open one: POST /api/v1/sessions.",
    Hint.PLAN: "Plan the job: POST /api/v1/plans.",
    Hint.CLAIM_NEXT: "Take another task: POST /api/v1/projects/{project}/claim-next.",
    Hint.CLAIM_NEXT_OR_TAKE_OVER: "Take another task: POST /api/v1/projects/{project}/claim-next. Only if that session "
    "is gone, claim this one with take_over.",
    Hint.FINISH_YOURS: "Finish it: POST /api/v1/tasks/{task_id}/complete, or release.",
    Hint.ANY_SPECIALIST: "Omit specialist_type.",
    Hint.WAIT: "Try again later.",
    Hint.SEE_TASK: "See GET /api/v1/tasks/{task_id}.",
    Hint.LIST_TASKS: "GET /api/v1/tasks lists the tasks; filter them by status.",
    Hint.REMOVE_DEPENDENCY: "Remove the dependency: DELETE /api/v1/tasks/{task_id}/dependencies/{needed_id}.",
    Hint.RETRY_OR_UNBLOCK: "Retry or unblock it: POST /api/v1/tasks/{task_id}/retry or unblock.",
    Hint.APPROVE: "Approve it: POST /api/v1/tasks/{task_id}/approve.",
    Hint.SYNTHESIZE: "GET /api/v1/plans/{task_id}/synthesis, or plan more: POST /api/v1/plans.",
    Hint.LIST_ARTIFACTS: "GET /api/v1/artifacts lists them.",
    Hint.LIST_UPLOADS: "GET /api/v1/uploads lists the open ones.",
    Hint.UPLOAD: "Send it in parts to POST /api/v1/uploads, then complete with its upload_ids.",
}
