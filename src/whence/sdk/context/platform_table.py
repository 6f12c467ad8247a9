"""CI systems and platforms as one table: the variables that each sets, by what they mean.

docs/context.md is made from the rows; `whence.sdk.context.platforms` reads them. The first row
whose marker is set decides about the code, so what is built on another platform comes first.
"""

from __future__ import annotations

import msgspec

from whence import semconv
from whence.sdk.context.table import ALSO_AT


class Platform(msgspec.Struct, frozen=True):
    """One platform. Each field lists variables, the first that is set wins.

    One of `markers` must be set; of `A + B` both.
    `documentation` is the title of the page that the variables are described on. `also_at` holds
    further commits that branch and address belong to, such as the head of a pull request beside
    the merge that is built. An address may be composed: `{SERVER}/{REPOSITORY}`; `{NAME:host}`
    stands for the host of the git service that the variable names, `{NAME:a.b}` for what the JSON
    file that the variable names has at `a.b`. `is_job`: what runs there has no person in front of
    it.
    """

    name: str
    documentation: str
    markers: tuple[str, ...]
    commit: tuple[str, ...] = ()
    also_at: tuple[str, ...] = ()
    branch: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    url: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    deployment_id: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    is_job: bool = False


# What a variable becomes: field → metadata key. The tag of a build is the version that it builds.
KEYS: dict[str, str] = {
    "commit": semconv.GIT_COMMIT,
    "also_at": ALSO_AT,
    "branch": semconv.GIT_BRANCH,
    "tag": semconv.APP_VERSION,
    "url": semconv.GIT_REPO_URL,
    "environment": semconv.ENVIRONMENT,
    "deployment_id": semconv.DEPLOYMENT_ID,
    "region": semconv.REGION,
    "service": "service.name",
}

PLATFORMS: tuple[Platform, ...] = (
    Platform(
        "GitHub Actions",
        "Variables reference",
        ("GITHUB_ACTIONS",),
        commit=("GITHUB_SHA",),  # of a pull request the merge that is built
        also_at=("{GITHUB_EVENT_PATH:pull_request.head.sha}",),
        branch=("GITHUB_HEAD_REF", "GITHUB_REF"),  # the first is a pull request's
        tag=("GITHUB_REF",),
        url=("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}",),
        is_job=True,
    ),
    Platform(
        "GitLab CI/CD",
        "Predefined CI/CD variables reference",
        ("GITLAB_CI",),
        commit=("CI_COMMIT_SHA",),
        also_at=("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA",),
        branch=(
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
            "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME",
            "CI_COMMIT_BRANCH",
        ),
        tag=("CI_COMMIT_TAG",),
        url=("CI_PROJECT_URL",),
        environment=("CI_ENVIRONMENT_NAME",),
        is_job=True,
    ),
    Platform(
        "CircleCI",
        "Project values and variables",
        ("CIRCLECI",),
        commit=("CIRCLE_SHA1",),
        branch=("CIRCLE_BRANCH",),
        tag=("CIRCLE_TAG",),
        url=("CIRCLE_REPOSITORY_URL",),
        is_job=True,
    ),
    Platform(
        "Jenkins",
        "Using environment variables; Git plugin",
        ("JENKINS_URL",),
        commit=("GIT_COMMIT",),
        branch=("CHANGE_BRANCH", "GIT_BRANCH", "BRANCH_NAME"),
        tag=("TAG_NAME",),
        url=("GIT_URL", "GIT_URL_1"),
        is_job=True,
    ),
    Platform(
        "Bitbucket Pipelines",
        "Variables and secrets",
        ("BITBUCKET_BUILD_NUMBER",),
        commit=("BITBUCKET_COMMIT",),
        branch=("BITBUCKET_BRANCH",),
        tag=("BITBUCKET_TAG",),
        url=("BITBUCKET_GIT_HTTP_ORIGIN", "BITBUCKET_GIT_SSH_ORIGIN"),
        environment=("BITBUCKET_DEPLOYMENT_ENVIRONMENT",),
        is_job=True,
    ),
    Platform(
        "Azure Pipelines",
        "Use predefined variables",
        ("TF_BUILD",),
        commit=("BUILD_SOURCEVERSION",),
        also_at=("SYSTEM_PULLREQUEST_SOURCECOMMITID",),
        branch=("SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH"),
        tag=("BUILD_SOURCEBRANCH",),
        url=("BUILD_REPOSITORY_URI",),
        environment=("ENVIRONMENT_NAME",),
        is_job=True,
    ),
    Platform(
        "Travis CI",
        "Default environment variables",
        ("TRAVIS",),
        commit=("TRAVIS_COMMIT",),
        also_at=("TRAVIS_PULL_REQUEST_SHA",),
        branch=("TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"),
        tag=("TRAVIS_TAG",),
        is_job=True,
    ),
    Platform(
        "Buildkite",
        "Environment variables",
        ("BUILDKITE",),
        commit=("BUILDKITE_COMMIT",),
        branch=("BUILDKITE_BRANCH",),
        tag=("BUILDKITE_TAG",),
        url=("BUILDKITE_REPO",),
        is_job=True,
    ),
    Platform(
        "Drone",
        "Environment reference",
        ("DRONE",),
        commit=("DRONE_COMMIT_SHA", "DRONE_COMMIT"),
        branch=("DRONE_SOURCE_BRANCH", "DRONE_BRANCH"),
        tag=("DRONE_TAG",),
        url=("DRONE_GIT_HTTP_URL", "DRONE_REPO_LINK"),
        environment=("DRONE_DEPLOY_TO",),
        is_job=True,
    ),
    Platform(
        "TeamCity",
        "Predefined build parameters",
        ("TEAMCITY_VERSION",),
        commit=("BUILD_VCS_NUMBER",),
        is_job=True,
    ),
    Platform(
        "AWS CodeBuild",
        "Environment variables in build environments",
        ("CODEBUILD_BUILD_ID",),
        commit=("CODEBUILD_RESOLVED_SOURCE_VERSION",),
        branch=("CODEBUILD_WEBHOOK_HEAD_REF",),
        tag=("CODEBUILD_WEBHOOK_HEAD_REF",),
        url=("CODEBUILD_SOURCE_REPO_URL",),
        region=("AWS_REGION",),
        is_job=True,
    ),
    Platform(
        "Heroku CI",
        "Heroku CI: environment variables",
        ("HEROKU_TEST_RUN_ID",),
        commit=("HEROKU_TEST_RUN_COMMIT_VERSION",),
        branch=("HEROKU_TEST_RUN_BRANCH",),
        is_job=True,
    ),
    Platform(
        "Vercel",
        "System environment variables",
        ("VERCEL",),
        commit=("VERCEL_GIT_COMMIT_SHA",),
        branch=("VERCEL_GIT_COMMIT_REF",),
        url=("https://{VERCEL_GIT_PROVIDER:host}/{VERCEL_GIT_REPO_OWNER}/{VERCEL_GIT_REPO_SLUG}",),
        environment=("VERCEL_TARGET_ENV", "VERCEL_ENV"),
        deployment_id=("VERCEL_DEPLOYMENT_ID",),
        region=("VERCEL_REGION",),
    ),
    Platform(
        "Netlify",
        "Build environment variables",
        ("NETLIFY",),
        commit=("COMMIT_REF",),
        branch=("HEAD", "BRANCH"),  # of a deploy preview BRANCH is `pull/12/head`
        url=("REPOSITORY_URL",),
        environment=("CONTEXT",),
        deployment_id=("DEPLOY_ID",),
        service=("SITE_NAME",),
    ),
    Platform(
        "Render",
        "Default environment variables",
        ("RENDER",),
        commit=("RENDER_GIT_COMMIT",),
        branch=("RENDER_GIT_BRANCH",),
        service=("RENDER_SERVICE_NAME",),
    ),
    Platform(
        "Heroku",
        "Dyno metadata",
        ("DYNO",),
        commit=("HEROKU_BUILD_COMMIT", "HEROKU_SLUG_COMMIT"),
        deployment_id=("HEROKU_RELEASE_VERSION",),
        service=("HEROKU_APP_NAME",),
    ),
    Platform(
        "Railway",
        "Variables reference",
        ("RAILWAY_PROJECT_ID",),
        commit=("RAILWAY_GIT_COMMIT_SHA",),
        branch=("RAILWAY_GIT_BRANCH",),
        url=("https://github.com/{RAILWAY_GIT_REPO_OWNER}/{RAILWAY_GIT_REPO_NAME}",),
        environment=("RAILWAY_ENVIRONMENT_NAME",),
        deployment_id=("RAILWAY_DEPLOYMENT_ID",),
        region=("RAILWAY_REPLICA_REGION",),
        service=("RAILWAY_SERVICE_NAME",),
    ),
    Platform(
        "Fly.io",
        "The Machine runtime environment",
        ("FLY_APP_NAME",),
        deployment_id=("FLY_IMAGE_REF", "FLY_MACHINE_VERSION"),
        region=("FLY_REGION",),
        service=("FLY_APP_NAME",),
    ),
    Platform(
        "Google Cloud Run jobs",
        "Container runtime contract",
        ("CLOUD_RUN_JOB",),
        deployment_id=("CLOUD_RUN_EXECUTION",),
        service=("CLOUD_RUN_JOB",),
        is_job=True,
    ),
    Platform(
        "Google Cloud Functions",
        "Configure environment variables (functions)",
        ("FUNCTION_TARGET + K_SERVICE",),  # the framework sets the first on a laptop too
        deployment_id=("K_REVISION",),
        service=("K_SERVICE",),
        is_job=True,
    ),
    Platform(
        "Google Cloud Run",
        "Container runtime contract",
        ("K_SERVICE", "CLOUD_RUN_WORKER_POOL"),
        deployment_id=("K_REVISION", "CLOUD_RUN_REVISION"),
        service=("K_SERVICE", "CLOUD_RUN_WORKER_POOL"),
    ),
    Platform(
        "Databricks",
        "Databricks Runtime; Databricks Apps: environment variables",
        ("DATABRICKS_RUNTIME_VERSION", "DATABRICKS_APP_NAME"),
        service=("DATABRICKS_APP_NAME",),
    ),
    Platform(
        "AWS Lambda",
        "Working with Lambda environment variables",
        ("AWS_LAMBDA_FUNCTION_NAME",),
        deployment_id=("AWS_LAMBDA_FUNCTION_VERSION",),
        region=("AWS_REGION",),
        service=("AWS_LAMBDA_FUNCTION_NAME",),
        is_job=True,
    ),
    Platform(
        "Azure Functions",
        "App settings reference for Azure Functions",
        ("FUNCTIONS_WORKER_RUNTIME",),
        environment=("AZURE_FUNCTIONS_ENVIRONMENT", "WEBSITE_SLOT_NAME"),
        region=("REGION_NAME",),
        service=("WEBSITE_SITE_NAME",),
        is_job=True,
    ),
    Platform(
        "Azure App Service",
        "Environment variables and app settings",
        ("WEBSITE_SITE_NAME",),
        environment=("WEBSITE_SLOT_NAME",),
        region=("REGION_NAME",),
        service=("WEBSITE_SITE_NAME",),
    ),
)
