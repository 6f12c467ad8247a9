"""What each CI system and platform sets, as its public documentation says, and what to make of it."""

from __future__ import annotations

from typing import NamedTuple

SHA = "ffac537e6cbbf934b08745a378932722df287a53"
HEAD_SHA = "0123456789abcdef0123456789abcdef01234567"

COMMIT, BRANCH, URL = (f"mlflow.source.git.{part}" for part in ("commit", "branch", "repoURL"))
ENVIRONMENT, VERSION, DEPLOYMENT, REGION, SERVICE, TYPE = (
    "environment",
    "app_version",
    "deployment_id",
    "region",
    "service.name",
    "mlflow.source.type",
)


class Example(NamedTuple):
    """What a platform sets, and what a program there should know."""

    platform: str
    env: dict[str, str]
    expected: dict[str, str]  # the whole context, user apart


EXAMPLES = {
    "github push": Example(
        "GitHub Actions",
        {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_SHA": SHA,
            "GITHUB_REF": "refs/heads/feature-branch-1",
            "GITHUB_REF_NAME": "feature-branch-1",
            "GITHUB_REF_TYPE": "branch",
            "GITHUB_HEAD_REF": "",
            "GITHUB_BASE_REF": "",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": "octocat/Hello-World",
        },
        {
            COMMIT: SHA,
            BRANCH: "feature-branch-1",
            URL: "https://github.com/octocat/Hello-World",
            TYPE: "JOB",
        },
    ),
    "github pull request": Example(
        "GitHub Actions",
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_SHA": SHA,
            "GITHUB_REF": "refs/pull/42/merge",
            "GITHUB_REF_NAME": "42/merge",
            "GITHUB_HEAD_REF": "fix-price",
            "GITHUB_BASE_REF": "main",
        },
        {COMMIT: SHA, BRANCH: "fix-price", TYPE: "JOB"},
    ),
    "github tag": Example(
        "GitHub Actions",
        {"GITHUB_ACTIONS": "true", "GITHUB_SHA": SHA, "GITHUB_REF": "refs/tags/v1.2.0"},
        {COMMIT: SHA, VERSION: "1.2.0", TYPE: "JOB"},
    ),
    "gitlab branch": Example(
        "GitLab CI/CD",
        {
            "GITLAB_CI": "true",
            "CI_COMMIT_SHA": SHA,
            "CI_COMMIT_REF_NAME": "main",
            "CI_COMMIT_BRANCH": "main",
            "CI_PROJECT_URL": "https://gitlab.example.com/group/shop",
            "CI_REPOSITORY_URL": "https://gitlab-ci-token:[masked]@gitlab.example.com/group/shop.git",
            "CI_ENVIRONMENT_NAME": "review/main",
        },
        {
            COMMIT: SHA,
            BRANCH: "main",
            URL: "https://gitlab.example.com/group/shop",
            ENVIRONMENT: "review/main",
            TYPE: "JOB",
        },
    ),
    "gitlab merge request": Example(
        "GitLab CI/CD",
        {
            "GITLAB_CI": "true",
            "CI_COMMIT_SHA": SHA,
            "CI_COMMIT_REF_NAME": "refs/merge-requests/1/merge",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix-price",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD_SHA,
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        },
        {COMMIT: SHA, BRANCH: "fix-price", TYPE: "JOB"},
    ),
    "gitlab tag": Example(
        "GitLab CI/CD",
        {
            "GITLAB_CI": "true",
            "CI_COMMIT_SHA": SHA,
            "CI_COMMIT_REF_NAME": "1.0.0",
            "CI_COMMIT_TAG": "1.0.0",
        },
        {COMMIT: SHA, VERSION: "1.0.0", TYPE: "JOB"},
    ),
    "circleci": Example(
        "CircleCI",
        {
            "CIRCLECI": "true",
            "CIRCLE_SHA1": SHA,
            "CIRCLE_BRANCH": "main",
            "CIRCLE_REPOSITORY_URL": "git@github.com:acme/shop.git",
        },
        {COMMIT: SHA, BRANCH: "main", URL: "git@github.com:acme/shop.git", TYPE: "JOB"},
    ),
    "circleci fork": Example(
        "CircleCI",
        {"CIRCLECI": "true", "CIRCLE_SHA1": SHA, "CIRCLE_BRANCH": "pull/1234"},
        {COMMIT: SHA, TYPE: "JOB"},
    ),
    "circleci tag": Example(
        "CircleCI",
        {"CIRCLECI": "true", "CIRCLE_SHA1": SHA, "CIRCLE_TAG": "v2"},
        {COMMIT: SHA, VERSION: "2", TYPE: "JOB"},
    ),
    "jenkins": Example(
        "Jenkins",
        {
            "JENKINS_URL": "https://ci.example.com/",
            "GIT_COMMIT": SHA,
            "GIT_BRANCH": "origin/main",
            "GIT_URL": "https://ann:s3cr3t@example.com/acme/shop.git",
        },
        {COMMIT: SHA, BRANCH: "main", URL: "https://example.com/acme/shop.git", TYPE: "JOB"},
    ),
    "jenkins pull request": Example(
        "Jenkins",
        {
            "JENKINS_URL": "https://ci.example.com/",
            "GIT_COMMIT": SHA,
            "GIT_BRANCH": "PR-23",
            "BRANCH_NAME": "PR-23",
            "CHANGE_BRANCH": "fix-price",
            "CHANGE_TARGET": "main",
        },
        {COMMIT: SHA, BRANCH: "fix-price", TYPE: "JOB"},
    ),
    "jenkins pull request without its branch": Example(
        "Jenkins",
        {"JENKINS_URL": "https://ci.example.com/", "GIT_COMMIT": SHA, "BRANCH_NAME": "PR-23"},
        {COMMIT: SHA, TYPE: "JOB"},
    ),
    "bitbucket": Example(
        "Bitbucket Pipelines",
        {
            "BITBUCKET_BUILD_NUMBER": "7",
            "BITBUCKET_COMMIT": SHA,
            "BITBUCKET_BRANCH": "main",
            "BITBUCKET_GIT_HTTP_ORIGIN": "http://bitbucket.org/acme/shop",
            "BITBUCKET_DEPLOYMENT_ENVIRONMENT": "staging",
        },
        {
            COMMIT: SHA,
            BRANCH: "main",
            URL: "http://bitbucket.org/acme/shop",
            ENVIRONMENT: "staging",
            TYPE: "JOB",
        },
    ),
    "azure": Example(
        "Azure Pipelines",
        {
            "TF_BUILD": "True",
            "BUILD_SOURCEVERSION": SHA,
            "BUILD_SOURCEBRANCH": "refs/heads/releases/1",
            "BUILD_SOURCEBRANCHNAME": "1",
            "BUILD_REPOSITORY_URI": "https://acme@dev.azure.com/acme/shop/_git/shop",
        },
        {
            COMMIT: SHA,
            BRANCH: "releases/1",
            URL: "https://dev.azure.com/acme/shop/_git/shop",
            TYPE: "JOB",
        },
    ),
    "azure pull request": Example(
        "Azure Pipelines",
        {
            "TF_BUILD": "True",
            "BUILD_SOURCEVERSION": SHA,
            "BUILD_SOURCEBRANCH": "refs/pull/1/merge",
            "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/users/raisa/new-feature",
            "SYSTEM_PULLREQUEST_SOURCECOMMITID": HEAD_SHA,
        },
        {COMMIT: SHA, BRANCH: "users/raisa/new-feature", TYPE: "JOB"},
    ),
    "azure tag": Example(
        "Azure Pipelines",
        {"TF_BUILD": "True", "BUILD_SOURCEVERSION": SHA, "BUILD_SOURCEBRANCH": "refs/tags/v3"},
        {COMMIT: SHA, VERSION: "3", TYPE: "JOB"},
    ),
    "travis pull request": Example(
        "Travis CI",
        {
            "TRAVIS": "true",
            "TRAVIS_COMMIT": SHA,
            "TRAVIS_BRANCH": "main",
            "TRAVIS_PULL_REQUEST": "12",
            "TRAVIS_PULL_REQUEST_BRANCH": "fix-price",
            "TRAVIS_PULL_REQUEST_SHA": HEAD_SHA,
        },
        {COMMIT: SHA, BRANCH: "fix-price", TYPE: "JOB"},
    ),
    "travis tag": Example(
        "Travis CI",
        {
            "TRAVIS": "true",
            "TRAVIS_COMMIT": SHA,
            "TRAVIS_BRANCH": "v1.0",  # of a tag's build this is the tag
            "TRAVIS_TAG": "v1.0",
        },
        {COMMIT: SHA, VERSION: "1.0", TYPE: "JOB"},
    ),
    "buildkite": Example(
        "Buildkite",
        {
            "BUILDKITE": "true",
            "BUILDKITE_COMMIT": SHA,
            "BUILDKITE_BRANCH": "ann:fix-price",
            "BUILDKITE_REPO": "https://x:tok@example.com/acme/shop.git",
        },
        {
            COMMIT: SHA,
            BRANCH: "ann:fix-price",
            URL: "https://example.com/acme/shop.git",
            TYPE: "JOB",
        },
    ),
    "buildkite before the checkout": Example(
        "Buildkite",
        {"BUILDKITE": "true", "BUILDKITE_COMMIT": "HEAD", "BUILDKITE_BRANCH": "main"},
        {BRANCH: "main", TYPE: "JOB"},
    ),
    "drone pull request": Example(
        "Drone",
        {
            "DRONE": "true",
            "DRONE_COMMIT_SHA": SHA,
            "DRONE_BRANCH": "main",
            "DRONE_SOURCE_BRANCH": "develop",
            "DRONE_GIT_HTTP_URL": "https://github.com/octocat/hello-world.git",
        },
        {
            COMMIT: SHA,
            BRANCH: "develop",
            URL: "https://github.com/octocat/hello-world.git",
            TYPE: "JOB",
        },
    ),
    "drone promotion": Example(
        "Drone",
        {
            "DRONE": "true",
            "DRONE_COMMIT": SHA,
            "DRONE_BRANCH": "main",
            "DRONE_DEPLOY_TO": "production",
        },
        {COMMIT: SHA, BRANCH: "main", ENVIRONMENT: "production", TYPE: "JOB"},
    ),
    "teamcity": Example(
        "TeamCity",
        {"TEAMCITY_VERSION": "2025.07 (build 197398)", "BUILD_VCS_NUMBER": SHA},
        {COMMIT: SHA, TYPE: "JOB"},
    ),
    "codebuild": Example(
        "AWS CodeBuild",
        {
            "CODEBUILD_BUILD_ID": "codebuild-demo-project:b1e6661e-e4f2-4156-9ab9-82a19EXAMPLE",
            "CODEBUILD_RESOLVED_SOURCE_VERSION": SHA,
            "CODEBUILD_SOURCE_VERSION": "pr/1",
            "CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/fix-price",
            "CODEBUILD_SOURCE_REPO_URL": "https://github.com/acme/shop.git",
            "AWS_REGION": "eu-west-1",
        },
        {
            COMMIT: SHA,
            BRANCH: "fix-price",
            URL: "https://github.com/acme/shop.git",
            REGION: "eu-west-1",
            TYPE: "JOB",
        },
    ),
    "heroku ci": Example(
        "Heroku CI",
        {
            "HEROKU_TEST_RUN_ID": "2",
            "HEROKU_TEST_RUN_COMMIT_VERSION": SHA,
            "HEROKU_TEST_RUN_BRANCH": "main",
        },
        {COMMIT: SHA, BRANCH: "main", TYPE: "JOB"},
    ),
    "vercel": Example(
        "Vercel",
        {
            "VERCEL": "1",
            "VERCEL_ENV": "preview",
            "VERCEL_TARGET_ENV": "qa",
            "VERCEL_REGION": "cdg1",
            "VERCEL_DEPLOYMENT_ID": "dpl_7Gw5ZMBpQA8h9GF832KGp7nwbuh3",
            "VERCEL_GIT_PROVIDER": "github",
            "VERCEL_GIT_REPO_SLUG": "my-site",
            "VERCEL_GIT_REPO_OWNER": "acme",
            "VERCEL_GIT_COMMIT_REF": "improve-about-page",
            "VERCEL_GIT_COMMIT_SHA": SHA,
        },
        {
            COMMIT: SHA,
            BRANCH: "improve-about-page",
            URL: "https://github.com/acme/my-site",
            ENVIRONMENT: "qa",
            DEPLOYMENT: "dpl_7Gw5ZMBpQA8h9GF832KGp7nwbuh3",
            REGION: "cdg1",
            TYPE: "LOCAL",
        },
    ),
    "vercel with an unknown git service": Example(
        "Vercel",
        {
            "VERCEL": "1",
            "VERCEL_ENV": "production",
            "VERCEL_GIT_PROVIDER": "gitea",
            "VERCEL_GIT_REPO_SLUG": "my-site",
            "VERCEL_GIT_REPO_OWNER": "acme",
        },
        {ENVIRONMENT: "production", TYPE: "LOCAL"},
    ),
    "netlify deploy preview": Example(
        "Netlify",
        {
            "NETLIFY": "true",
            "CONTEXT": "deploy-preview",
            "COMMIT_REF": SHA,
            "BRANCH": "pull/42/head",
            "HEAD": "fix-price",
            "REPOSITORY_URL": "https://x-access-token:v1.5c3b@github.com/acme/shop",
            "DEPLOY_ID": "5b243e66dd6a547b4fee73ae",
        },
        {
            COMMIT: SHA,
            BRANCH: "fix-price",
            URL: "https://github.com/acme/shop",
            ENVIRONMENT: "deploy-preview",
            DEPLOYMENT: "5b243e66dd6a547b4fee73ae",
            TYPE: "LOCAL",
        },
    ),
    "render": Example(
        "Render",
        {
            "RENDER": "true",
            "RENDER_GIT_COMMIT": SHA,
            "RENDER_GIT_BRANCH": "main",
            "RENDER_GIT_REPO_SLUG": "acme/shop",
            "RENDER_SERVICE_NAME": "shop-api",
        },
        {COMMIT: SHA, BRANCH: "main", SERVICE: "shop-api", TYPE: "LOCAL"},
    ),
    "heroku": Example(
        "Heroku",
        {
            "DYNO": "web.1",
            "HEROKU_APP_NAME": "shop",
            "HEROKU_SLUG_COMMIT": SHA,
            "HEROKU_RELEASE_VERSION": "v7",
        },
        {
            COMMIT: SHA,
            DEPLOYMENT: "v7",
            SERVICE: "shop",
            "service.instance.id": "web.1",
            TYPE: "LOCAL",
        },
    ),
    "railway": Example(
        "Railway",
        {
            "RAILWAY_PROJECT_ID": "d1d3",
            "RAILWAY_ENVIRONMENT_NAME": "production",
            "RAILWAY_SERVICE_NAME": "api",
            "RAILWAY_REPLICA_REGION": "us-west2",
            "RAILWAY_DEPLOYMENT_ID": "f5a1",
            "RAILWAY_GIT_COMMIT_SHA": SHA,
            "RAILWAY_GIT_BRANCH": "main",
            "RAILWAY_GIT_REPO_OWNER": "acme",
            "RAILWAY_GIT_REPO_NAME": "shop",
        },
        {
            COMMIT: SHA,
            BRANCH: "main",
            URL: "https://github.com/acme/shop",
            ENVIRONMENT: "production",
            DEPLOYMENT: "f5a1",
            REGION: "us-west2",
            SERVICE: "api",
            TYPE: "LOCAL",
        },
    ),
    "fly": Example(
        "Fly.io",
        {
            "FLY_APP_NAME": "shop",
            "FLY_REGION": "ams",
            "FLY_IMAGE_REF": "registry.example/shop:deployment-01H9RK9EYO9PGNBYAKGXSHV0PH",
        },
        {
            DEPLOYMENT: "registry.example/shop:deployment-01H9RK9EYO9PGNBYAKGXSHV0PH",
            REGION: "ams",
            SERVICE: "shop",
            TYPE: "LOCAL",
        },
    ),
    "cloud run": Example(
        "Google Cloud Run",
        {"K_SERVICE": "hello-world", "K_REVISION": "hello-world.1", "K_CONFIGURATION": "hello"},
        {DEPLOYMENT: "hello-world.1", SERVICE: "hello-world", TYPE: "LOCAL"},
    ),
    "cloud run job": Example(
        "Google Cloud Run jobs",
        {"CLOUD_RUN_JOB": "hello-world", "CLOUD_RUN_EXECUTION": "hello-world-abc"},
        {DEPLOYMENT: "hello-world-abc", SERVICE: "hello-world", TYPE: "JOB"},
    ),
    "cloud function": Example(
        "Google Cloud Functions",
        {"FUNCTION_TARGET": "main", "K_SERVICE": "resize", "K_REVISION": "3"},
        {DEPLOYMENT: "3", SERVICE: "resize", TYPE: "JOB"},
    ),
    "databricks": Example(
        "Databricks",
        {"DATABRICKS_RUNTIME_VERSION": "16.4"},
        {TYPE: "LOCAL"},
    ),
    "databricks app": Example(
        "Databricks",
        {"DATABRICKS_APP_NAME": "shop"},
        {SERVICE: "shop", TYPE: "LOCAL"},
    ),
    "lambda": Example(
        "AWS Lambda",
        {
            "AWS_LAMBDA_FUNCTION_NAME": "price",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        },
        {DEPLOYMENT: "$LATEST", REGION: "us-east-1", SERVICE: "price", TYPE: "JOB"},
    ),
    "azure function": Example(
        "Azure Functions",
        {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
            "WEBSITE_SITE_NAME": "price",
            "REGION_NAME": "West Europe",
        },
        {ENVIRONMENT: "Development", REGION: "West Europe", SERVICE: "price", TYPE: "JOB"},
    ),
    "azure app service": Example(
        "Azure App Service",
        {
            "WEBSITE_SITE_NAME": "shop",
            "WEBSITE_SLOT_NAME": "Production",
            "REGION_NAME": "West Europe",
        },
        {ENVIRONMENT: "Production", REGION: "West Europe", SERVICE: "shop", TYPE: "LOCAL"},
    ),
}
