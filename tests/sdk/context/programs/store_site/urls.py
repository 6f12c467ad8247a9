from django.http import HttpResponse
from django.urls import path
from shop.asking import ask

urlpatterns = [path("", lambda request: HttpResponse(str(ask())))]
